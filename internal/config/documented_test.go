package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/configuration.md has a row for each setting, in the order of the table, with its default and whether it may
// change while a node runs; and it tells of each key of a node block.
func TestSettingsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| `([^`]+)` \\| (yes|restart) \\|").FindAllStringSubmatch(string(text), -1)
	if len(rows) != len(settings) {
		t.Errorf("%d rows for %d settings", len(rows), len(settings))
	}
	c := defaults(false)
	for i := range min(len(rows), len(settings)) {
		s, reload := &settings[i], "restart"
		if s.live {
			reload = "yes"
		}
		want := strings.Join([]string{s.key, s.get(c), reload}, " ")
		if got := strings.Join(rows[i][1:], " "); got != want {
			t.Fatalf("docs/configuration.md has %q in the place of %q", got, want)
		}
	}
	_, nodes, _ := strings.Cut(string(text), "Each `node \"NAME\"` block has:")
	for key := range nodeKeys {
		if !strings.Contains(nodes, "`"+key+"`") {
			t.Errorf("docs/configuration.md does not tell of %q in a node block", key)
		}
	}
}
