package torture

import (
	"errors"
	"math"
	"strings"
	"testing"

	"ciderd/internal/harness"
)

// judged is what one client of each kind was told (1 and 3 were answered, 2 has an unknown end), and
// contents that fit it.
func judged() ([]*client, contents) {
	workers := []worker{
		&setClient{id: 1, acked: []int{1, 3}, unknown: []int{2}},
		&incrClient{replies: []int64{1, 3}, unknown: 1},
		&onceClient{replies: []int64{2, 1}, pending: true},
		&appendClient{id: 4, acked: []int{1, 3}, unknown: []int{2}},
	}
	var clients []*client
	for i, w := range workers {
		clients = append(clients, &client{id: i, worker: w})
	}
	return clients, contents{
		"set:1:1": "VALUE 1 - 1", "set:1:3": "VALUE 2 - 3", sharedCounter: "VALUE 3 - 3", onceCounter: "VALUE 4 - 2",
		"log:0": "VALUE 5 - 4.1;4.3;", "reg:0": "VALUE 6 - x", "pair:a": "VALUE 7 - y",
	}
}

func TestMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		key, value string // put into good contents; no value: taken out
		finds      string // empty: good still
	}{
		"good":                    {"set:1:1", "VALUE 1 - 1", ""},
		"unknown SET happened":    {"set:1:2", "VALUE 9 - 2", ""},
		"unknown SET, odd value":  {"set:1:2", "VALUE 9 - 3", "invented: set:1:2"},
		"unknown APPEND happened": {"log:0", "VALUE 5 - 4.1;4.2;4.3;", ""},
		"pending ONCE happened":   {onceCounter, "VALUE 4 - 3", ""},
		"lost SET":                {"set:1:3", "", "lost: set:1:3"},
		"other value":             {"set:1:3", "VALUE 2 - 1", "lost: set:1:3"},
		"nobody's key":            {"set:1:4", "VALUE 2 - 4", "invented: key set:1:4"},
		"lost INCR":               {sharedCounter, "VALUE 3 - 1", "the counter is 1"},
		"INCR too often":          {sharedCounter, "VALUE 3 - 4", "the counter is 4"},
		"no counter":              {sharedCounter, "", "the counter is 0"},
		"counter is no number":    {sharedCounter, "VALUE 3 - x", `is "x"`},
		"ONCE ran twice":          {onceCounter, "VALUE 4 - 4", "ONCE: the counter is 4"},
		"lost ONCE":               {onceCounter, "VALUE 4 - 1", "ONCE: the counter is 1"},
		"lost token":              {"log:0", "VALUE 5 - 4.3;", "lost: token 4.1;"},
		"token twice":             {"log:0", "VALUE 5 - 4.1;4.3;4.3;", "once too often"},
		"unknown token twice":     {"log:0", "VALUE 5 - 4.1;4.2;4.2;4.3;", "once too often"},
		"order":                   {"log:0", "VALUE 5 - 4.3;4.1;", "comes after"},
		"stranger":                {"log:0", "VALUE 5 - 4.1;4.3;7.1;", "by nobody"},
		"no token":                {"log:0", "VALUE 5 - 4.1;4.3;rubbish", "by nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			clients, s := judged()
			if s[tc.key] = tc.value; tc.value == "" {
				delete(s, tc.key)
			}
			err := errors.Join(missing(clients, s)...)
			switch {
			case tc.finds == "" && err != nil:
				t.Errorf("finds %v", err)
			case tc.finds != "" && (err == nil || !strings.Contains(err.Error(), tc.finds)):
				t.Errorf("finds %v, want %q", err, tc.finds)
			}
		})
	}
}

func TestDistinctReplies(t *testing.T) {
	clients, s := judged()
	clients[1].worker = &incrClient{replies: []int64{2, 2, 3}}
	if err := errors.Join(missing(clients, s)...); err == nil || !strings.Contains(err.Error(), "answered 2 twice") {
		t.Errorf("finds %v", err)
	}
}

func TestRegisters(t *testing.T) {
	set := func(value string, start, end int64) registerOp {
		return registerOp{key: "k", write: true, value: value, start: start, end: end}
	}
	get := func(value string, start, end int64) registerOp {
		return registerOp{key: "k", value: value, start: start, end: end}
	}
	for name, tc := range map[string]struct {
		ops  []registerOp
		good bool
	}{
		"in order":             {[]registerOp{get(absent, 0, 1), set("a", 2, 3), get("a", 4, 5)}, true},
		"while it is written":  {[]registerOp{set("a", 1, 2), set("b", 3, 8), get("a", 4, 5), get("b", 6, 7)}, true},
		"stale":                {[]registerOp{set("a", 1, 2), set("b", 3, 4), get("a", 5, 6)}, false},
		"back again":           {[]registerOp{set("a", 1, 2), set("b", 3, 8), get("b", 4, 5), get("a", 6, 7)}, false},
		"lost":                 {[]registerOp{set("a", 1, 2), get(absent, 3, 4)}, false},
		"unknown, late":        {[]registerOp{set("a", 1, math.MaxInt64), get(absent, 3, 4), get("a", 5, 6)}, true},
		"unknown, never seen":  {[]registerOp{set("a", 1, math.MaxInt64), get(absent, 3, 4)}, true},
		"unknown, gone again":  {[]registerOp{set("a", 1, math.MaxInt64), get("a", 3, 4), get(absent, 5, 6)}, false},
		"nobody wrote it":      {[]registerOp{set("a", 1, 2), get("b", 3, 4)}, false},
		"another key is other": {[]registerOp{set("a", 1, 2), {key: "l", value: absent, start: 3, end: 4}}, true},
	} {
		errs, undecided := checkRegisters(tc.ops)
		if (len(errs) == 0) != tc.good || undecided != 0 {
			t.Errorf("%s: %v, %d undecided", name, errs, undecided)
		}
	}
}

func TestCAS(t *testing.T) {
	get := func(value, version string, start int64) casOp {
		return casOp{key: "k", new: value, version: version, start: start, end: start + 1}
	}
	swap := func(old, new string, ok bool, start int64) casOp {
		return casOp{key: "k", swap: true, old: old, new: new, ok: ok, start: start, end: start + 1}
	}
	unknown := casOp{key: "k", swap: true, old: "a", new: "b", unknown: true, start: 10, end: math.MaxInt64}
	first := swap("", "a", true, 1)
	for name, tc := range map[string]struct {
		ops  []casOp
		good bool
	}{
		"made, swapped":        {[]casOp{first, get("a", "1", 3), swap("a", "b", true, 5), get("b", "2", 7)}, true},
		"swapped by two":       {[]casOp{first, swap("a", "b", true, 5), swap("a", "c", true, 7)}, false},
		"refused rightly":      {[]casOp{first, swap("a", "b", true, 5), swap("a", "c", false, 7)}, true},
		"refused wrongly":      {[]casOp{first, swap("a", "b", false, 5)}, false},
		"unknown, done":        {[]casOp{first, unknown, get("b", "2", 20)}, true},
		"unknown, not done":    {[]casOp{first, unknown, get("a", "1", 20)}, true},
		"unknown, undone":      {[]casOp{first, unknown, get("b", "2", 20), get("a", "1", 22)}, false},
		"version of two kinds": {[]casOp{first, get("a", "1", 3), get("a", "2", 5)}, false},
	} {
		errs, undecided := checkCAS(tc.ops)
		if (len(errs) == 0) != tc.good || undecided != 0 {
			t.Errorf("%s: %v, %d undecided", name, errs, undecided)
		}
	}
}

func TestDiffer(t *testing.T) {
	a := contents{"k": "VALUE 1 - v"}
	if err := differ(a, contents{"k": "VALUE 1 - v"}); err != nil {
		t.Error(err)
	}
	for _, other := range []contents{{}, {"k": "VALUE 2 - v"}, {"k": "VALUE 1 - v", "l": "VALUE 1 - v"}} {
		if differ(a, other) == nil || differ(other, a) == nil || a.digest() == other.digest() {
			t.Errorf("%v and %v count as equal", a, other)
		}
	}
}

func TestStrain(t *testing.T) {
	reply := func(code string) error { return &harness.ReplyError{Code: code} }
	cutOff := errors.New("connection reset")
	for _, tc := range []struct {
		strain strain
		err    error
		want   bool
	}{
		{quiet, reply("NO_LEADER"), false}, {quiet, cutOff, false},
		{alone, reply("TIMEOUT"), true}, {alone, reply("LOADING"), false}, {alone, cutOff, false},
		{filled, reply("MEMORY_FULL"), true}, {alone, reply("MEMORY_FULL"), false},
		{departed, cutOff, true}, {departed, reply("LOADING"), true}, {departed, reply("SHUTTING_DOWN"), true},
		{departed, reply("INTERNAL"), false}, {departed, reply("AUTH_FAILED"), false},
	} {
		if got := tc.strain.allows(tc.err); got != tc.want {
			t.Errorf("strain %d allows %v: %v", tc.strain, tc.err, got)
		}
	}
	n := &node{}
	strained(departed, n)
	strained(alone, n)
	if strain(n.level.Load()) != departed {
		t.Error("strain has gone down")
	}
}
