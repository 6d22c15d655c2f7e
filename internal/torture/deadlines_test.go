package torture

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

const second = int64(time.Second)

// A key was SET with 2 s to live between 10 and 11 s; the node answers writes all the time, but for
// a while in some cases.
func TestReadingsOfDeadlines(t *testing.T) {
	n := &node{name: "n1"}
	for name, tc := range map[string]struct {
		at     int64 // s; a reading takes none
		left   time.Duration
		silent int64 // s without an OK before at
		quiet  bool
		finds  string // empty: right
	}{
		"there at once":                  {at: 11, left: 2 * time.Second},
		"gone in time":                   {at: 13},
		"there for long enough":          {at: 16, left: time.Second}, // 11 + 2 + lateBy
		"there for too long":             {at: 17, left: time.Second, finds: "too long"},
		"there after a silence":          {at: 17, left: time.Second, silent: 2},
		"there for longer than silence":  {at: 30, left: time.Second, silent: 5, finds: "too long"},
		"more left than it was given":    {at: 12, left: 8 * time.Second, finds: "too long"},
		"gone at once":                   {at: 11, quiet: true}, // 10 + 2 - quietEarlyBy
		"gone before its time, at quiet": {at: 10, quiet: true, finds: "too early"},
		"gone before its time":           {at: 10},
	} {
		t.Run(name, func(t *testing.T) {
			d := &deadlines{readings: []reading{{
				&deadlineKey{key: "dl:1:1", ttl: 2 * time.Second, start: 10 * second, end: 11 * second},
				n, tc.at * second, tc.at * second, tc.left,
			}}}
			g := gaps{}
			for at := int64(0); at < 40*second; at += second / 20 {
				if at <= (tc.at-tc.silent)*second || at > tc.at*second {
					g["n1"] = append(g["n1"], at)
				}
			}
			slices.Reverse(g["n1"]) // clients do not report in order
			errs := d.judge(g, tc.quiet)
			switch {
			case tc.finds == "" && len(errs) > 0:
				t.Errorf("finds %v", errs)
			case tc.finds != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), tc.finds)):
				t.Errorf("finds %v, want %q", errs, tc.finds)
			}
		})
	}
}

// An hour is not over by any reckoning.
func TestLongDeadlineGone(t *testing.T) {
	d := &deadlines{readings: []reading{{
		&deadlineKey{key: "dl:1:1", ttl: time.Hour, end: second}, &node{name: "n1"}, 300 * second, 300 * second, 0,
	}}}
	if errs := d.judge(gaps{}, false); len(errs) != 1 || !strings.Contains(errs[0].Error(), "too early") {
		t.Errorf("finds %v", errs)
	}
}

func TestTTLLeft(t *testing.T) {
	for reply, want := range map[string]time.Duration{"NOT_FOUND": 0, "VALUE 7 3 v": 3 * time.Second} {
		if got, err := ttlLeft(reply); err != nil || got != want {
			t.Errorf("%q: %v, %v", reply, got, err)
		}
	}
	for _, reply := range []string{"", "OK", "VALUE 7 - v", "VALUE 7 0 v", "VALUE 7 x v"} {
		if _, err := ttlLeft(reply); err == nil {
			t.Errorf("%q passes", reply)
		}
	}
}

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
			n := &node{name: "n1"}
			c := &client{load: &load{}, node: n, random: rand.New(rand.NewPCG(1, 1))}
			w := &deadlineClient{known: map[*deadlineKey]*known{}, wrote: tc.wrote * second}
			key := &deadlineKey{key: "dl:1:1", ttl: 3 * time.Second}
			for _, s := range tc.says {
				c.start = s.process
				w.look(c, reading{key, n, s.at * second, s.at * second, time.Duration(s.left) * time.Second})
			}
			errs, _ := c.load.bad.all()
			switch {
			case tc.finds == "" && len(errs) > 0:
				t.Errorf("finds %v", errs)
			case tc.finds != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), tc.finds)):
				t.Errorf("finds %v, want %q", errs, tc.finds)
			}
		})
	}
}
