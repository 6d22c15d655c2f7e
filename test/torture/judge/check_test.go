package judge

import (
	"errors"
	"math"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// judged is what one client of each kind was told (1 and 3 were answered, 2 has an unknown end), and
// contents that fit it.
func judged() (Told, Contents) {
	clients := Told{
		Sets:   []SetRecord{{Id: 1, Acked: []int{1, 3}, Unknown: []int{2}}},
		Counts: []CountRecord{{Replies: []int64{1, 3}, Unknown: 1}},
		Onces:  []OnceRecord{{Replies: []int64{2, 1}, Pending: true}},
		Logs:   []LogRecord{{Id: 4, Acked: []int{1, 3}, Unknown: []int{2}}},
	}
	return clients, Contents{
		"set:1:1": "VALUE 1 - 1", "set:1:3": "VALUE 2 - 3", SharedCounter: "VALUE 3 - 3", OnceCounter: "VALUE 4 - 2",
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
		"pending ONCE happened":   {OnceCounter, "VALUE 4 - 3", ""},
		"lost SET":                {"set:1:3", "", "lost: set:1:3"},
		"other value":             {"set:1:3", "VALUE 2 - 1", "lost: set:1:3"},
		"nobody's key":            {"set:1:4", "VALUE 2 - 4", "invented: key set:1:4"},
		"lost INCR":               {SharedCounter, "VALUE 3 - 1", "the counter is 1"},
		"INCR too often":          {SharedCounter, "VALUE 3 - 4", "the counter is 4"},
		"no counter":              {SharedCounter, "", "the counter is 0"},
		"counter is no number":    {SharedCounter, "VALUE 3 - x", `is "x"`},
		"ONCE ran twice":          {OnceCounter, "VALUE 4 - 4", "ONCE: the counter is 4"},
		"lost ONCE":               {OnceCounter, "VALUE 4 - 1", "ONCE: the counter is 1"},
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
			err := errors.Join(Missing(clients, s)...)
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
	clients.Counts[0] = CountRecord{Replies: []int64{2, 2, 3}}
	if err := errors.Join(Missing(clients, s)...); err == nil || !strings.Contains(err.Error(), "answered 2 twice") {
		t.Errorf("finds %v", err)
	}
}

func TestRegisters(t *testing.T) {
	set := func(value string, start, end int64) RegisterOp {
		return RegisterOp{Key: "k", Write: true, Value: value, Start: start, End: end}
	}
	get := func(value string, start, end int64) RegisterOp {
		return RegisterOp{Key: "k", Value: value, Start: start, End: end}
	}
	for name, tc := range map[string]struct {
		ops  []RegisterOp
		good bool
	}{
		"in order":             {[]RegisterOp{get(absent, 0, 1), set("a", 2, 3), get("a", 4, 5)}, true},
		"while it is written":  {[]RegisterOp{set("a", 1, 2), set("b", 3, 8), get("a", 4, 5), get("b", 6, 7)}, true},
		"stale":                {[]RegisterOp{set("a", 1, 2), set("b", 3, 4), get("a", 5, 6)}, false},
		"back again":           {[]RegisterOp{set("a", 1, 2), set("b", 3, 8), get("b", 4, 5), get("a", 6, 7)}, false},
		"lost":                 {[]RegisterOp{set("a", 1, 2), get(absent, 3, 4)}, false},
		"unknown, late":        {[]RegisterOp{set("a", 1, math.MaxInt64), get(absent, 3, 4), get("a", 5, 6)}, true},
		"unknown, never seen":  {[]RegisterOp{set("a", 1, math.MaxInt64), get(absent, 3, 4)}, true},
		"unknown, gone again":  {[]RegisterOp{set("a", 1, math.MaxInt64), get("a", 3, 4), get(absent, 5, 6)}, false},
		"nobody wrote it":      {[]RegisterOp{set("a", 1, 2), get("b", 3, 4)}, false},
		"another key is other": {[]RegisterOp{set("a", 1, 2), {Key: "l", Value: absent, Start: 3, End: 4}}, true},
	} {
		errs, undecided := CheckRegisters(tc.ops)
		if (len(errs) == 0) != tc.good || undecided != 0 {
			t.Errorf("%s: %v, %d undecided", name, errs, undecided)
		}
	}
}

func TestCAS(t *testing.T) {
	get := func(value, version string, start int64) CasOp {
		return CasOp{Key: "k", New: value, Version: version, Start: start, End: start + 1}
	}
	swap := func(old, new string, ok bool, start int64) CasOp {
		return CasOp{Key: "k", Swap: true, Old: old, New: new, Ok: ok, Start: start, End: start + 1}
	}
	unknown := CasOp{Key: "k", Swap: true, Old: "a", New: "b", Unknown: true, Start: 10, End: math.MaxInt64}
	first := swap("", "a", true, 1)
	for name, tc := range map[string]struct {
		ops  []CasOp
		good bool
	}{
		"made, swapped":        {[]CasOp{first, get("a", "1", 3), swap("a", "b", true, 5), get("b", "2", 7)}, true},
		"swapped by two":       {[]CasOp{first, swap("a", "b", true, 5), swap("a", "c", true, 7)}, false},
		"refused rightly":      {[]CasOp{first, swap("a", "b", true, 5), swap("a", "c", false, 7)}, true},
		"refused wrongly":      {[]CasOp{first, swap("a", "b", false, 5)}, false},
		"unknown, done":        {[]CasOp{first, unknown, get("b", "2", 20)}, true},
		"unknown, not done":    {[]CasOp{first, unknown, get("a", "1", 20)}, true},
		"unknown, undone":      {[]CasOp{first, unknown, get("b", "2", 20), get("a", "1", 22)}, false},
		"version of two kinds": {[]CasOp{first, get("a", "1", 3), get("a", "2", 5)}, false},
	} {
		errs, undecided := CheckCAS(tc.ops)
		if (len(errs) == 0) != tc.good || undecided != 0 {
			t.Errorf("%s: %v, %d undecided", name, errs, undecided)
		}
	}
}

func TestDiffer(t *testing.T) {
	a := Contents{"k": "VALUE 1 - v"}
	if err := Differ(a, Contents{"k": "VALUE 1 - v"}); err != nil {
		t.Error(err)
	}
	for _, other := range []Contents{{}, {"k": "VALUE 2 - v"}, {"k": "VALUE 1 - v", "l": "VALUE 1 - v"}} {
		if Differ(a, other) == nil || Differ(other, a) == nil || Differ(a.Digests(), other.Digests()) == nil {
			t.Errorf("%v and %v count as equal", a, other)
		}
	}
}

func TestStrain(t *testing.T) {
	reply := func(code string) error { return &harness.ReplyError{Code: code} }
	cutOff := errors.New("connection reset")
	for _, tc := range []struct {
		strain Strain
		err    error
		want   bool
	}{
		{Quiet, reply("NO_LEADER"), false}, {Quiet, cutOff, false},
		{Alone, reply("TIMEOUT"), true}, {Alone, reply("LOADING"), false}, {Alone, cutOff, false},
		{Filled, reply("MEMORY_FULL"), true}, {Alone, reply("MEMORY_FULL"), false},
		{Departed, cutOff, true}, {Departed, reply("LOADING"), true}, {Departed, reply("SHUTTING_DOWN"), true},
		{Departed, reply("INTERNAL"), false}, {Departed, reply("AUTH_FAILED"), false},
	} {
		if got := tc.strain.Allows(tc.err); got != tc.want {
			t.Errorf("strain %d allows %v: %v", tc.strain, tc.err, got)
		}
	}
}
