package protocol

import (
	"slices"
	"strings"
	"testing"
)

// Every verb has one row, and a row's request has a verb that is served as it is.
func TestTable(t *testing.T) {
	seen := map[Verb]bool{}
	for _, cmd := range Commands() {
		if seen[cmd.Verb] || cmd.Verb.String() != cmd.Name || cmd.Verb.Command().Summary != cmd.Summary {
			t.Errorf("%s: the row of %v", cmd.Name, cmd.Verb)
		}
		seen[cmd.Verb] = true
		if cmd.Summary == "" || len(cmd.Summary) > 79 {
			t.Errorf("%s: its summary is %q", cmd.Name, cmd.Summary)
		}
		if as := cmd.As.Command(); cmd.As != VerbNone && (as.As != VerbNone || as.Access != cmd.Access) {
			t.Errorf("%s is served as %s", cmd.Name, as.Name)
		}
	}
	for v := VerbNone + 1; v < verbs; v++ {
		if !seen[v] {
			t.Errorf("verb %d has no row", v)
		}
	}
	if VerbNone.String() != "" || Verb(200).Command().Access != Neither {
		t.Error("a verb that is none has a row")
	}
}

func TestBeforeLoginAndWrites(t *testing.T) {
	var before, writes []string
	for _, cmd := range Commands() {
		if cmd.BeforeLogin {
			before = append(before, cmd.Name)
		}
		if cmd.Access == Writes {
			writes = append(writes, cmd.Name)
		}
	}
	slices.Sort(before)
	slices.Sort(writes)
	if got := strings.Join(before, " "); got != "HELP LOGIN PING QUIT SIGNUP" {
		t.Errorf("before login: %s", got)
	}
	if got := strings.Join(writes, " "); got != "APPEND CAS DECR DELETE EXPIRE FLUSH INCR MSET PERSIST SET SETEX SETNX" {
		t.Errorf("writes: %s", got)
	}
}

func b(s string) []byte { return []byte(s) }
