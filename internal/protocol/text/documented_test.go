package text

import (
	"os"
	"strings"
	"testing"
)

// The table in docs/commands.md is this package's table: neither has a command, or says anything of one, that
// the other has not.
func TestCommandsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/commands.md")
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
		t.Errorf("docs/commands.md has %d commands, HELP has %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if strings.ReplaceAll(got[i], `\|`, "|") != want[i] {
			t.Fatalf("docs/commands.md:\n%s\nwant:\n%s", got[i], want[i])
		}
	}
}
