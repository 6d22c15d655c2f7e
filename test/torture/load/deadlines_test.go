package load

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// What one node says of a key, in order: a process (by its number), when, what is left.
func TestWhatANodeSaysOfADeadline(t *testing.T) {
	type said struct {
		process, at, left int64
	}
	for name, tc := range map[string]struct {
		says  []said
		wrote int64 // s; when a write began that was OK
		finds string
	}{
		"counts down":                    {says: []said{{1, 1, 3}, {1, 2, 2}, {1, 4, 0}, {1, 5, 0}}},
		"not here yet":                   {says: []said{{1, 1, 0}, {1, 2, 3}}},
		"back in one process":            {says: []said{{1, 1, 3}, {1, 4, 0}, {1, 5, 1}}, finds: "there again"},
		"back after a restart":           {says: []said{{1, 1, 3}, {1, 4, 0}, {2, 5, 1}}},
		"back though the log went on":    {says: []said{{1, 1, 3}, {1, 4, 0}, {2, 9, 1}}, wrote: 7, finds: "there again"},
		"more left in one process":       {says: []said{{1, 1, 2}, {1, 2, 3}}, finds: "has 3s now"},
		"more left of another's process": {says: []said{{1, 1, 2}, {2, 2, 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &client{load: &Load{}, node: &rig.Node{Name: "n1"}, random: rand.New(rand.NewPCG(1, 1))}
			w := &deadlineClient{known: map[*judge.DeadlineKey]*known{}, wrote: tc.wrote * int64(time.Second)}
			key := &judge.DeadlineKey{Key: "dl:1:1", TTL: 3 * time.Second}
			for _, s := range tc.says {
				at := s.at * int64(time.Second)
				c.start = s.process
				w.look(c, judge.Reading{DeadlineKey: key, Node: "n1", Start: at, End: at, Left: time.Duration(s.left) * time.Second})
			}
			errs, _ := c.load.Bad.All()
			switch {
			case tc.finds == "" && len(errs) > 0:
				t.Errorf("finds %v", errs)
			case tc.finds != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), tc.finds)):
				t.Errorf("finds %v, want %q", errs, tc.finds)
			}
		})
	}
}
