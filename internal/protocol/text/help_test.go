package text

import (
	"strings"
	"testing"
	"unicode/utf8"

	"ciderd/internal/protocol"
)

// HELP ERRORS has every code, and fits a screen.
func TestHelpErrors(t *testing.T) {
	for _, e := range protocol.ErrorCodes() {
		if n := strings.Count(" "+strings.ReplaceAll(helpErrors, "\n", " "), " "+string(e.Code)+" "); n < 1 {
			t.Errorf("%s is %d times in HELP ERRORS", e.Code, n)
		}
	}
	if lines := strings.Split(helpErrors, "\n"); len(lines) > 24 {
		t.Errorf("HELP ERRORS has %d lines", len(lines))
	}
	for line := range strings.Lines(helpErrors) {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
