package auth

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestValidPassword(t *testing.T) {
	for _, tc := range []struct {
		password string
		ok       bool
	}{
		{"", false},
		{"x", true},
		{"\x00", true},
		{"\xff\xfe", true},
		{strings.Repeat("x", 72), true},
		{"Hunter2" + strings.Repeat("x", 66), false},
	} {
		err := ValidPassword(tc.password)
		if (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrBadPassword) {
			t.Errorf("ValidPassword(%q) = %v, want ok %v", tc.password, err, tc.ok)
		}
		if err != nil && strings.Contains(err.Error(), "Hunter2") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func FuzzValidUser(f *testing.F) {
	for _, s := range []string{"", "a", "Alice.B_c-d@example.org", "a b", "ä", "a\n", "\x00", "a/b", "[", "`", "{", ":",
		strings.Repeat("x", 64), strings.Repeat("x", 65)} {
		f.Add(s)
	}
	model := regexp.MustCompile(`\A[A-Za-z0-9._@-]{1,64}\z`)
	f.Fuzz(func(t *testing.T, name string) {
		err := ValidUser(name)
		if (err == nil) != model.MatchString(name) {
			t.Errorf("ValidUser(%q) = %v", name, err)
		}
		if err != nil && !errors.Is(err, ErrBadUsername) {
			t.Errorf("ValidUser(%q): %v is not ErrBadUsername", name, err)
		}
		if fromBytes := ValidUser([]byte(name)); (fromBytes == nil) != (err == nil) {
			t.Errorf("bytes: %v, string: %v", fromBytes, err)
		}
	})
}
