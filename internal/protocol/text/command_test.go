package text

import (
	"slices"
	"strings"
	"testing"

	"ciderd/internal/protocol"
)

func TestFind(t *testing.T) {
	for _, cmd := range Commands() {
		for _, name := range append([]string{cmd.Name, strings.ToLower(cmd.Name)}, cmd.Aliases...) {
			if found := find(b(name)); found == nil || found.Verb != cmd.Verb {
				t.Errorf("%s: got %v", name, found)
			}
		}
	}
	for _, word := range []string{"", "G", "GETX", "G%T", "SE4", "\x07ET", "gEtVv"} {
		if found := find(b(word)); found != nil {
			t.Errorf("%q: got %v", word, found)
		}
	}
}

// Every command of the table has a usage, and no usage is of another.
func TestUsages(t *testing.T) {
	for _, cmd := range Commands() {
		if !strings.HasPrefix(cmd.Usage, cmd.Name) {
			t.Errorf("%s has the usage %q", cmd.Name, cmd.Usage)
		}
	}
	if len(usages) != len(Commands()) {
		t.Errorf("%d usages, %d commands", len(usages), len(Commands()))
	}
}

// Every reply of HELP fits a screen of 80 x 24, a prompt below it included.
func TestHelpFitsTheScreen(t *testing.T) {
	pages := map[string][]byte{}
	for _, cmd := range Commands() {
		page, err := AppendHelp(nil, b(strings.ToLower(cmd.Name)))
		if err != nil || !strings.HasPrefix(string(page), cmd.Usage+"\n") {
			t.Errorf("%s: %q, %v", cmd.Name, page, err)
		}
		pages[cmd.Name] = page
	}
	overview, err := AppendHelp([]byte("x"), nil)
	if err != nil || overview[0] != 'x' {
		t.Fatalf("%q, %v", overview, err)
	}
	pages[""] = overview[1:]
	for name, page := range pages {
		lines := strings.Split(string(page), "\n")
		if len(lines) > 24 || lines[len(lines)-1] != "" || slices.Index(lines, "END") != len(lines)-2 {
			t.Errorf("HELP %s has %d lines: %q", name, len(lines), page)
		}
		for _, line := range lines {
			if len(line) > 79 || strings.HasPrefix(line, "ERR") {
				t.Errorf("HELP %s: %q", name, line)
			}
		}
	}
	for _, cmd := range Commands() {
		if !strings.Contains(string(overview), "  "+cmd.Usage) {
			t.Errorf("HELP does not list %s", cmd.Name)
		}
	}
}

func TestHelpUnknown(t *testing.T) {
	dst, err := AppendHelp([]byte("x"), b("gett"))
	if string(dst) != "x" || err == nil || err.Error() != "ERR UNKNOWN_COMMAND GETT is not a command; did you mean GET?" {
		t.Errorf("got %q, %v", dst, err)
	}
	if page, err := AppendHelp(nil, b("del")); err != nil || !strings.HasPrefix(string(page), "DELETE k") {
		t.Errorf("got %q, %v", page, err)
	}
}

// Examples in the notes are lines that the parser takes.
func TestHelpExamplesParse(t *testing.T) {
	n := 0
	for _, cmd := range Commands() {
		for _, note := range cmd.Notes {
			if !strings.HasPrefix(note, "  ") {
				continue
			}
			n++
			var req protocol.Request
			if err := new(Parser).Parse(b(note), &req); err != nil {
				t.Errorf("%s: %v", note, err)
			}
		}
	}
	if n == 0 {
		t.Error("no examples")
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"GET", "", 3}, {"GET", "GET", 0}, {"GTE", "GET", 1}, {"GETT", "GET", 1}, {"GE", "GET", 1}, {"SET", "GET", 1},
		{"EXPRIE", "EXPIRE", 1}, {"ABC", "XYZ", 3}, {"DELTE", "DELETE", 1}, {"KITTEN", "SITTING", 3},
	} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("%s %s: got %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
