package auth

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"slices"
)

// bcryptInput is what bcrypt gets for a password. bcrypt repeats its input with a NUL in between, so
// that "a" and "a\x00a" are one password to it; one with a NUL is therefore replaced by a digest of it.
func bcryptInput(password []byte) []byte {
	if !slices.Contains(password, 0) {
		return password
	}
	sum := sha512.Sum384(password)
	return base64.StdEncoding.AppendEncode(nil, sum[:]) // 64 bytes
}

// dummyHash is a hash that no password is known for, made up rather than computed: at MaxCost
// computing one would hold up the start for seconds.
func dummyHash(cost int) []byte {
	var salt [16]byte
	var sum [23]byte
	rand.Read(salt[:]) // never fails: see crypto/rand
	rand.Read(sum[:])
	enc := base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)
	hash := fmt.Appendf(nil, "$2a$%02d$", cost)
	hash = enc.AppendEncode(hash, salt[:])
	return enc.AppendEncode(hash, sum[:])
}
