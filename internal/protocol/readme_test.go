package protocol

import (
	"os"
	"strings"
	"testing"
)

// The README's table is this package's table: neither has a command, or says anything of one, that
// the other has not.
func TestREADMEHasTheCommandTable(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, c := range Commands() {
		want = append(want, "| `"+c.Usage+"` | "+c.Summary+" |")
	}
	_, after, _ := strings.Cut(string(text), "| command | |\n|---|---|\n")
	table, _, _ := strings.Cut(after, "\n\n")
	got := strings.Split(table, "\n")
	if len(got) != len(want) {
		t.Errorf("the README has %d commands, HELP has %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if strings.ReplaceAll(got[i], `\|`, "|") != want[i] {
			t.Errorf("README:\n%s\nwant:\n%s", got[i], want[i])
		}
	}
}
