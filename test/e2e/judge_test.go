//go:build e2e

package e2e

import (
	"errors"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// judged is a load of one node, with two answered commands of each kind and one
// of unknown end, and the state that fits it.
func judged() (*load, state) {
	n := &harness.Node{Name: "n1"}
	l := &load{user: "u"}
	for k := kindSet; k <= kindAppend; k++ {
		l.writers = append(l.writers, &writer{node: n, user: "u", kind: k, acked: []int{0, 2}, unknown: []int{1}})
	}
	return l, state{
		"s:n1:0": "VALUE 1 - 0", "s:n1:2": "VALUE 2 - 2", "c:n1": "VALUE 3 - 2", "c:all": "VALUE 4 - 3",
		"log:0": "VALUE 5 - n1-0;n1-2;",
	}
}

// TestJudge: what check must find is found, and what may be is let be.
func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		key, value string // put into a good state; no value: taken out
		finds      string // "" where it is good still
	}{
		"good":                    {"s:n1:0", "VALUE 1 - 0", ""},
		"unknown SET happened":    {"s:n1:1", "VALUE 9 - 1", ""},
		"unknown INCR happened":   {"c:n1", "VALUE 3 - 3", ""},
		"unknown APPEND happened": {"log:0", "VALUE 5 - n1-0;n1-1;n1-2;", ""},
		"lost SET":                {"s:n1:2", "", "lost: s:n1:2"},
		"other value":             {"s:n1:2", "VALUE 2 - 3", "lost: s:n1:2"},
		"lost INCR":               {"c:n1", "VALUE 3 - 1", "c:n1 is 1"},
		"INCR twice":              {"c:n1", "VALUE 3 - 4", "c:n1 is 4"},
		"shared INCR twice":       {"c:all", "VALUE 3 - 4", "c:all is 4"},
		"no counter":              {"c:all", "", "c:all is 0"},
		"lost token":              {"log:0", "VALUE 5 - n1-2;", "lost: token n1-0;"},
		"token twice":             {"log:0", "VALUE 5 - n1-0;n1-2;n1-2;", "too often"},
		"unknown token twice":     {"log:0", "VALUE 5 - n1-0;n1-1;n1-1;n1-2;", "too often"},
		"order":                   {"log:0", "VALUE 5 - n1-2;n1-0;", "comes after"},
		"stranger":                {"log:0", "VALUE 5 - n1-0;n1-2;n7-5;", "too often"},
		"no log":                  {"log:0", "", "lost: token"},
	} {
		t.Run(name, func(t *testing.T) {
			l, s := judged()
			if s[tc.key] = tc.value; tc.value == "" {
				delete(s, tc.key)
			}
			err := errors.Join(l.missing(s)...)
			switch {
			case tc.finds == "" && err != nil:
				t.Errorf("finds %v", err)
			case tc.finds != "" && (err == nil || !strings.Contains(err.Error(), tc.finds)):
				t.Errorf("finds %v, want %q", err, tc.finds)
			}
		})
	}
}

func TestDiffer(t *testing.T) {
	a, b := state{"k": "VALUE 1 - v"}, state{"k": "VALUE 1 - v"}
	if err := differ(a, b); err != nil {
		t.Error(err)
	}
	for _, other := range []state{{}, {"k": "VALUE 2 - v"}, {"k": "VALUE 1 - v", "l": "VALUE 1 - v"}} {
		if differ(a, other) == nil || differ(other, a) == nil {
			t.Errorf("%v and %v count as equal", a, other)
		}
	}
}

func TestWriterJudge(t *testing.T) {
	w := &writer{node: &harness.Node{Name: "n1"}, kind: kindOwn, acked: []int{0, 1}, unknown: []int{2}}
	for reply, good := range map[string]bool{"2": false, "3": true, "4": true, "5": false, "x": false} {
		if err := w.judge(reply); (err == nil) != good {
			t.Errorf("judge(%s): %v", reply, err)
		}
	}
}
