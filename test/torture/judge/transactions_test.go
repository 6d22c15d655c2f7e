package judge

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// told is a transaction of two steps or fewer, from start to start+1.
func told(group string, start int64, steps []Step, replies ...string) Transaction {
	return Transaction{Group: group, Steps: steps, Replies: replies, Start: start, End: start + 1}
}

// unknown is one that began then, and whose end nobody knows.
func unknown(group string, start int64, steps ...Step) Transaction {
	return Transaction{Group: group, Steps: steps, Start: start, End: math.MaxInt64}
}

func watching(seen string, t Transaction) Transaction {
	t.Watched, t.WatchedKey, t.Seen, t.Failed = true, Counter, seen, t.Replies == nil && t.End != math.MaxInt64
	return t
}

func swap(arg string) []Step { return []Step{{Do: "swap", Key: Lasting, Arg: arg}} }

var (
	count   = []Step{{Do: "add", Key: Counter, Arg: "1"}}
	setTwo  = Step{Do: "set", Key: Counter, Arg: "2"}
	getThem = []Step{{Do: "get", Key: Lasting}, {Do: "get", Key: Counter}}
)

func TestTransactions(t *testing.T) {
	for name, tc := range map[string]struct {
		all  []Transaction
		good bool
	}{
		"in order":                       {[]Transaction{told("g", 1, swap("a"), Nothing), told("g", 3, swap("b"), "a")}, true},
		"another order":                  {[]Transaction{told("g", 1, swap("a"), Nothing), told("g", 3, swap("b"), Nothing)}, false},
		"another group":                  {[]Transaction{told("g", 1, swap("a"), Nothing), told("h", 3, swap("b"), Nothing)}, true},
		"counted twice":                  {[]Transaction{told("g", 1, count, "1"), told("g", 3, count, "1")}, false},
		"taken":                          {[]Transaction{told("g", 1, swap("a"), Nothing), told("g", 3, []Step{{Do: "take", Key: Lasting}}, "a"), told("g", 5, swap("b"), Nothing)}, true},
		"taken twice":                    {[]Transaction{told("g", 1, swap("a"), Nothing), told("g", 3, []Step{{Do: "take", Key: Lasting}}, "a"), told("g", 5, []Step{{Do: "take", Key: Lasting}}, "a")}, false},
		"reads of one moment":            {[]Transaction{told("g", 1, append(swap("a"), count...), Nothing, "1"), told("g", 3, getThem, "a", "1")}, true},
		"reads of two":                   {[]Transaction{told("g", 1, append(swap("a"), count...), Nothing, "1"), told("g", 3, getThem, "a", Nothing)}, false},
		"reads of what comes later":      {[]Transaction{told("g", 1, []Step{{Do: "get", Key: Lasting}, swap("a")[0]}, "a", "a")}, false},
		"unknown, done":                  {[]Transaction{unknown("g", 1, swap("a")...), told("g", 3, swap("b"), "a")}, true},
		"unknown, not done":              {[]Transaction{unknown("g", 1, swap("a")...), told("g", 3, swap("b"), Nothing)}, true},
		"unknown, done in part":          {[]Transaction{unknown("g", 1, append(swap("a"), count...)...), told("g", 3, getThem, "a", Nothing)}, false},
		"unknown, done twice":            {[]Transaction{unknown("g", 1, count...), told("g", 3, count, "3")}, false},
		"unknown count that another saw": {[]Transaction{told("g", 1, count, "1"), watching("1", unknown("g", 3, setTwo)), told("g", 5, count, "3")}, true},
		"watched":                        {[]Transaction{told("g", 1, count, "1"), watching("1", told("g", 3, []Step{setTwo}, "OK"))}, true},
		"watched, and changed":           {[]Transaction{told("g", 1, count, "1"), told("g", 3, count, "2"), watching("1", told("g", 5, []Step{setTwo}, "OK"))}, false},
		"refused rightly":                {[]Transaction{told("g", 1, count, "1"), told("g", 3, count, "2"), watching("1", told("g", 5, []Step{setTwo}))}, true},
		"refused wrongly":                {[]Transaction{told("g", 1, count, "1"), watching("1", told("g", 5, []Step{setTwo}))}, false},
		"unknown, watched and changed":   {[]Transaction{told("g", 1, count, "1"), told("g", 3, count, "2"), watching("1", unknown("g", 5, setTwo)), told("g", 7, getThem, Nothing, "2")}, true},
		"unknown, done all the same":     {[]Transaction{told("g", 1, count, "1"), told("g", 3, count, "2"), watching("1", unknown("g", 5, Step{Do: "set", Key: Counter, Arg: "7"})), told("g", 7, getThem, Nothing, "7")}, false},
	} {
		errs, undecided := CheckTransactions(tc.all)
		if (len(errs) == 0) != tc.good || undecided != 0 {
			t.Errorf("%s: %v, %d undecided", name, errs, undecided)
		}
	}
}

func TestSums(t *testing.T) {
	all := []Step{{Do: "get", Key: 0}, {Do: "get", Key: 1}, {Do: "get", Key: 2}}
	move := []Step{{Do: "add", Key: 0, Arg: "-5"}, {Do: "add", Key: 1, Arg: "5"}}
	for name, tc := range map[string]struct {
		all   []Transaction
		finds string
	}{
		"moved":      {[]Transaction{told(Bank(0), 1, move, "-5", "5"), told(Bank(0), 3, all, "-5", "5", Nothing)}, ""},
		"half moved": {[]Transaction{told(Bank(0), 1, move, "-5", "5"), told(Bank(0), 3, all, "-5", Nothing, Nothing)}, "sum is not 0"},
		"no number":  {[]Transaction{told(Bank(0), 1, all, "x", Nothing, Nothing)}, "an account has"},
	} {
		errs, _ := CheckTransactions(tc.all)
		if err := errors.Join(errs...); (err == nil) != (tc.finds == "") || err != nil && !strings.Contains(err.Error(), tc.finds) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is there in the end must be what the transactions have made of it.
func TestLastTransactions(t *testing.T) {
	group := MixedGroup(0)
	all := []Transaction{told(group, 1, swap("a"), Nothing), told(group, 3, count, "1")}
	good := Contents{GroupKey(group, Lasting): "VALUE 1 - a", GroupKey(group, Counter): "VALUE 2 - 1"}
	if errs, _ := CheckTransactions(LastTransactions(all, good, 9)); len(errs) > 0 {
		t.Error(errs)
	}
	for _, bad := range []Contents{
		{}, {GroupKey(group, Lasting): "VALUE 1 - a"},
		{GroupKey(group, Lasting): "VALUE 1 - a", GroupKey(group, Counter): "VALUE 2 - 2"},
		{GroupKey(group, Lasting): "VALUE 1 - a", GroupKey(group, Counter): "VALUE 2 - 1", GroupKey(group, Passing): "VALUE 3 - b"},
	} {
		if errs, _ := CheckTransactions(LastTransactions(all, bad, 9)); len(errs) == 0 {
			t.Errorf("%v is taken for the end", bad)
		}
	}
}
