package auth

import "bytes"

// The parts of a bcrypt hash, in bytes: version, cost and salt, and what comes of the password.
const (
	saltedBytes = 29
	digestBytes = 31
)

// Closed returns a hash to which no password is right, and whose compare costs what that of hash does: cost and salt are
// the same. It is for an account that is locked.
func Closed(hash []byte) []byte {
	if len(hash) != saltedBytes+digestBytes {
		return nil // as of an unknown user
	}
	return append(bytes.Clone(hash[:saltedBytes]), bytes.Repeat([]byte("."), digestBytes)...)
}
