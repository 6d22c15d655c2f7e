package judge

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const second = int64(time.Second)

// A key was SET with 2 s to live between 10 and 11 s; the node answers writes all the time, but for
// a while in some cases.
func TestReadingsOfDeadlines(t *testing.T) {
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
			d := &Deadlines{readings: []Reading{{
				&DeadlineKey{Key: "dl:1:1", TTL: 2 * time.Second, Start: 10 * second, End: 11 * second},
				"n1", tc.at * second, tc.at * second, tc.left,
			}}}
			g := Gaps{}
			for at := int64(0); at < 40*second; at += second / 20 {
				if at <= (tc.at-tc.silent)*second || at > tc.at*second {
					g["n1"] = append(g["n1"], at)
				}
			}
			slices.Reverse(g["n1"]) // clients do not report in order
			errs := d.Judge(g, tc.quiet)
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
	d := &Deadlines{readings: []Reading{{
		&DeadlineKey{Key: "dl:1:1", TTL: time.Hour, End: second}, "n1", 300 * second, 300 * second, 0,
	}}}
	if errs := d.Judge(Gaps{}, false); len(errs) != 1 || !strings.Contains(errs[0].Error(), "too early") {
		t.Errorf("finds %v", errs)
	}
}

func TestTTLLeft(t *testing.T) {
	for reply, want := range map[string]time.Duration{"NOT_FOUND": 0, "VALUE 7 3 v": 3 * time.Second} {
		if got, err := TTLLeft(reply); err != nil || got != want {
			t.Errorf("%q: %v, %v", reply, got, err)
		}
	}
	for _, reply := range []string{"", "OK", "VALUE 7 - v", "VALUE 7 0 v", "VALUE 7 x v"} {
		if _, err := TTLLeft(reply); err == nil {
			t.Errorf("%q passes", reply)
		}
	}
}
