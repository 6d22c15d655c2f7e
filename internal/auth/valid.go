package auth

import (
	"bytes"
	"fmt"
)

// Limits of the grammar, in bytes.
const (
	MaxUserLen     = 64
	MaxPasswordLen = 72 // bcrypt ignores every byte after the 72nd
)

// ValidUser reports whether name may be a user name: 1 to 64 bytes of A-Z a-z 0-9 . _ - @.
// The error is, or wraps, ErrBadUsername. The name itself is not part of the text.
func ValidUser[T ~string | ~[]byte](name T) error {
	if len(name) == 0 || len(name) > MaxUserLen {
		return fmt.Errorf("%w: it has %d bytes, 1 to %d are allowed", ErrBadUsername, len(name), MaxUserLen)
	}
	for i := range len(name) {
		if !userByte(name[i]) {
			return fmt.Errorf("%w: only A-Z a-z 0-9 . _ - @ are allowed", ErrBadUsername)
		}
	}
	return nil
}

func userByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '-' || c == '@'
}

// ValidPassword reports whether password may be a password: 1 to 72 bytes of any kind. It is asked at
// LOGIN too: bcrypt would accept a longer password whose first 72 bytes are right.
// The error is, or wraps, ErrBadPassword; its text never contains the password.
func ValidPassword[T ~string | ~[]byte](password T) error {
	switch {
	case len(password) == 0:
		return fmt.Errorf("%w: it is empty", ErrBadPassword)
	case len(password) > MaxPasswordLen:
		return fmt.Errorf("%w: it is longer than %d bytes", ErrBadPassword, MaxPasswordLen)
	}
	return nil
}

// ValidNewPassword reports whether password may be set: it is a ValidPassword that every way to log in can carry, so
// none with a line end in it, a CR at its end (the line's own may follow), Ctrl-C, or blanks at its ends, and not
// Ctrl-D alone. The error wraps ErrBadPassword, and ErrUnfitPassword if it is a ValidPassword; its text never
// contains the password.
func ValidNewPassword(password []byte) error {
	if err := ValidPassword(password); err != nil {
		return err
	}
	switch {
	case bytes.ContainsAny(password, "\n\x03"), bytes.Contains(password, []byte("\r\x00")),
		bytes.HasSuffix(password, []byte("\r")), string(password) == "\x04":
		return fmt.Errorf("%w: no line can carry it", ErrUnfitPassword)
	case len(bytes.Trim(password, " \t")) != len(password):
		return fmt.Errorf("%w: it begins or ends with a blank", ErrUnfitPassword)
	}
	return nil
}
