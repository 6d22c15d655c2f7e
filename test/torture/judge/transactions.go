package judge

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/anishathalye/porcupine"
)

// Nothing is what a client of Redis is answered for a key that has no value: null.
const Nothing = "(nil)"

// Clients of Redis share a few groups of keys. Each of their transactions is about the keys of one group, so that a group's
// history can be judged by itself.
const (
	MixedGroups = 3 // of a key that is set and deleted, one that is set, and a counter
	Banks       = 2 // of accounts, whose sum stays 0
	GroupKeys   = 3
)

// The keys of a mixed group.
const (
	Passing = iota // set and deleted; no value comes twice
	Lasting        // set; no value comes twice
	Counter        // grows by one each time, whoever counts
)

// MixedGroup and Bank name a group, as the keys of it begin.
func MixedGroup(i int) string { return fmt.Sprintf("mix:%d", i) }

// Bank is a group of accounts.
func Bank(i int) string { return fmt.Sprintf("bank:%d", i) }

// GroupKey is one of a group's keys.
func GroupKey(group string, i int) string { return fmt.Sprintf("%s:%d", group, i) }

// Step is one command of a transaction.
type Step struct {
	Do  string // get, set, swap (set, and tell what there was), take (delete, and tell), add
	Key int    // of the group
	Arg string // what is set or added
}

// Transaction is what a client did at one moment, or found that it could not.
type Transaction struct {
	Client int
	Group  string
	Steps  []Step
	// Replies are those to the steps; nil while the outcome is not known.
	Replies []string
	// Watched: it was to be done only while the key WatchedKey had the value Seen; Failed: so it was not done.
	Watched, Failed bool
	WatchedKey      int
	Seen            string
	Start, End      int64
}

// values are what the keys of a group have.
type values [GroupKeys]string

func noValues() (v values) {
	for i := range v {
		v[i] = Nothing
	}
	return v
}

// do changes the values, and tells what the step is answered.
func (v *values) do(s Step) (reply string) {
	old := v[s.Key]
	switch s.Do {
	case "get":
		return old
	case "set":
		v[s.Key] = s.Arg
		return "OK"
	case "swap":
		v[s.Key] = s.Arg
	case "take":
		v[s.Key] = Nothing
	case "add":
		n, _ := strconv.ParseInt(old, 10, 64) // of no value it is 0
		by, _ := strconv.ParseInt(s.Arg, 10, 64)
		v[s.Key] = strconv.FormatInt(n+by, 10)
		return v[s.Key]
	}
	return old
}

var transactionModel = porcupine.Model{
	Init: func() any { return noValues() },
	Step: func(state, input, _ any) (bool, any) {
		v, t := state.(values), input.(Transaction)
		if t.Watched && (v[t.WatchedKey] != t.Seen) != t.Failed {
			return t.Replies == nil && !t.Failed, v // of unknown outcome: it may have failed
		}
		if t.Failed {
			return true, v
		}
		for i, s := range t.Steps {
			if reply := v.do(s); t.Replies != nil && reply != t.Replies[i] {
				return false, state
			}
		}
		return true, v
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
}

// CheckTransactions judges each group by itself: there is an order of all its transactions in which each happened at one
// moment between its start and its end, with the replies that it had. undecided counts the groups that took too long.
func CheckTransactions(all []Transaction) (errs []error, undecided int) {
	told := map[string]bool{}
	for _, t := range all {
		for _, reply := range t.Replies {
			told[t.Group+" "+reply] = true
		}
	}
	byGroup := map[string][]porcupine.Operation{}
	for _, t := range all {
		if t.hidden(told) {
			continue
		}
		byGroup[t.Group] = append(byGroup[t.Group], porcupine.Operation{ClientId: t.Client, Input: t, Call: t.Start, Return: t.End})
	}
	errs = checkSums(all)
	more, undecided := judgeKeys(transactionModel, byGroup)
	return append(errs, more...), undecided
}

// hidden reports whether nobody can tell if the transaction was done: it has an unknown end and does nothing but set what
// nobody has read. It may as well come last of all; leaving it out changes no verdict and spares the checker much.
func (t *Transaction) hidden(told map[string]bool) bool {
	if t.Replies != nil || t.Failed {
		return false
	}
	for _, s := range t.Steps {
		sets := (s.Do == "set" || s.Do == "swap") && s.Key != Counter // others count on from there
		if s.Do != "get" && !sets || sets && told[t.Group+" "+s.Arg] {
			return false
		}
	}
	return true
}

// checkSums: whoever reads all accounts of a bank sees what they have at one moment. Porcupine would find the same, but
// cannot say it as well.
func checkSums(all []Transaction) (errs []error) {
	for _, t := range all {
		if !strings.HasPrefix(t.Group, "bank:") || t.Replies == nil || len(t.Steps) != GroupKeys ||
			slices.ContainsFunc(t.Steps, func(s Step) bool { return s.Do != "get" }) {
			continue
		}
		sum := int64(0)
		for _, reply := range t.Replies {
			n, err := strconv.ParseInt(reply, 10, 64)
			if err != nil && reply != Nothing {
				errs = append(errs, Violationf("%s: an account has %.40q", t.Group, reply))
			}
			sum += n
		}
		if sum != 0 {
			errs = append(errs, Violationf("%s: client %d saw accounts of %q, whose sum is not 0", t.Group, t.Client, t.Replies))
		}
	}
	return errs
}

// LastTransactions adds what is there in the end, as the reads of one more client.
func LastTransactions(all []Transaction, s Contents, now int64) []Transaction {
	groups := make([]string, 0, MixedGroups+Banks)
	for i := range MixedGroups {
		groups = append(groups, MixedGroup(i))
	}
	for i := range Banks {
		groups = append(groups, Bank(i))
	}
	for _, group := range groups {
		t := Transaction{Client: math.MaxInt16, Group: group, Start: now, End: now + 1}
		for key := range GroupKeys {
			value, ok := s.value(GroupKey(group, key))
			if !ok {
				value = Nothing
			}
			t.Steps = append(t.Steps, Step{Do: "get", Key: key})
			t.Replies = append(t.Replies, value)
		}
		all = append(all, t)
	}
	return all
}
