package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// cachedLogins bounds the login cache: about 1 MB when full.
const cachedLogins = 10_000

// loginCache remembers logins that bcrypt has confirmed, as tags that are worthless outside this
// process. It is asked with the hash that is stored now, so a changed password misses by itself, and
// nothing ever has to be taken out.
type loginCache struct {
	key [32]byte // random for each process, never leaves it
	memory[loginTag]
}

type loginTag [sha256.Size]byte

func newLoginCache() *loginCache {
	c := &loginCache{memory: memory[loginTag]{known: newRecent[loginTag, struct{}](cachedLogins)}}
	rand.Read(c.key[:]) // never fails: see crypto/rand
	return c
}

// tag is an HMAC-SHA256 over user, stored hash and password, each with its length in front, so that
// no two triples give the same bytes.
func (c *loginCache) tag(user string, hash, password []byte) (t loginTag) {
	mac := hmac.New(sha256.New, c.key[:])
	var n [8]byte
	for _, part := range [][]byte{[]byte(user), hash, password} {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		mac.Write(n[:])
		mac.Write(part)
	}
	mac.Sum(t[:0])
	return t
}
