package harness

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// uniqueLength is also the length of what {u} stands for in a conversation; those
// with limits of names count on it.
const uniqueLength = 8

// Unique returns a suffix for user names, so that a test runs any number of times
// against the same daemon.
func Unique() string { return strings.ToLower(rand.Text()[:uniqueLength]) }

// Mismatch shows both sides, one above the other, and where they part.
func Mismatch(want, got string) error {
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	return fmt.Errorf("not the same from byte %d on\n    want %s\n    got  %s", at, Short(want), Short(got))
}

// Short quotes text, and cuts it in the middle where it is long.
func Short(text string) string {
	const most = 200
	if len(text) <= most {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%q…%q (%d bytes)", text[:most/2], text[len(text)-most/4:], len(text))
}
