package script

import (
	"fmt"
	"strings"
	"testing"
)

// store is what scripts of the tests call.
type store struct {
	items map[string]string
	calls int
	fail  error // what Call returns
}

func newStore() *store { return &store{items: map[string]string{"s": "abc"}} }

func (s *store) call(args [][]byte) (Reply, error) {
	s.calls++
	if s.fail != nil {
		return Reply{}, s.fail
	}
	name := strings.ToLower(string(args[0]))
	switch {
	case name == "get" && len(args) == 2:
		if v, ok := s.items[string(args[1])]; ok {
			return Reply{Kind: Bulk, Text: v}, nil
		}
		return Reply{}, nil
	case name == "set" && len(args) == 3:
		s.items[string(args[1])] = string(args[2])
		return Reply{Kind: Status, Text: "OK"}, nil
	case name == "incr":
		return errorReply("ERR value is not an integer or out of range"), nil
	case name == "get" || name == "set":
		return errorReply("ERR Wrong number of args calling Redis command from script"), nil
	}
	return errorReply("ERR Unknown Redis command called from script"), nil
}

// run runs a script with the key s and the arguments arg1 and 2, as testdata does.
func runScript(tb testing.TB, source string, limits Limits) (Reply, error) {
	tb.Helper()
	s, err := Compile([]byte(source))
	if err != nil {
		return errorReply(err.Error()), nil
	}
	return s.Run(tb.Context(), Input{
		Keys: [][]byte{[]byte("s")}, Args: [][]byte{[]byte("arg1"), []byte("2")}, Call: newStore().call, Allowance: NewAllowance(limits),
	})
}

// inWords is a reply as RESP2 has it, or as RESP3 has it where it is of a kind of its own.
func inWords(p Reply) string {
	switch p.Kind {
	case Status:
		return "+" + p.Text
	case Error:
		return "-" + p.Text
	case Integer:
		return fmt.Sprintf(":%d", p.Int)
	case Bulk:
		return fmt.Sprintf("$%q", p.Text)
	case Array, Map, Set:
		var all []string
		for _, e := range p.List {
			all = append(all, inWords(e))
		}
		return map[Kind]string{Array: "*", Map: "%", Set: "~"}[p.Kind] + "[" + strings.Join(all, ", ") + "]"
	case Double:
		return "," + formatG(p.Float, 17)
	case Boolean:
		return map[int64]string{0: "#f", 1: "#t"}[p.Int]
	case BigNumber:
		return "(" + p.Text
	case Verbatim:
		return fmt.Sprintf("=%s:%q", p.Format, p.Text)
	}
	return "$-1"
}

// answer is what a script replies, without its SHA.
func answer(tb testing.TB, source string) string {
	tb.Helper()
	reply, err := runScript(tb, source, Limits{})
	if err != nil {
		return "ended: " + err.Error()
	}
	return strings.ReplaceAll(inWords(reply), SHA([]byte(source)), "SHA")
}
