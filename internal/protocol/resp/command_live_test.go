package resp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// node is a reply that was read: its type, its text, and its elements.
type node struct {
	kind byte
	text string
	list []node
}

func parseReply(t *testing.T, reply string) node {
	t.Helper()
	n, rest := parseNode(reply)
	if rest != "" {
		t.Fatalf("%q is left", rest)
	}
	return n
}

func parseNode(reply string) (n node, rest string) {
	line, rest, _ := strings.Cut(reply, "\r\n")
	n = node{kind: line[0], text: line[1:]}
	var size int
	fmt.Sscan(line[1:], &size)
	switch n.kind {
	case '$', '=':
		if size >= 0 {
			n.text, rest = rest[:size], rest[size+2:]
		}
	case '%', '*', '~', '>':
		if n.kind == '%' {
			size *= 2
		}
		for range size {
			var element node
			element, rest = parseNode(rest)
			n.list = append(n.list, element)
		}
		n.text = ""
	}
	return n, rest
}

func (n node) String() string {
	if n.list == nil {
		return string(n.kind) + n.text
	}
	return string(n.kind) + fmt.Sprint(n.list)
}

// told is what COMMAND INFO says of a command and is the same here. Hints for proxies are not, nor are notes about keys
// and the subcommands that we do not have.
func told(n node) string {
	n.list = slices.Clone(n.list)
	n.list[7], n.list[9] = node{}, node{}
	n.list[8].list = slices.Clone(n.list[8].list)
	for i, spec := range n.list[8].list {
		if spec.list[0].text == "notes" {
			n.list[8].list[i].list = spec.list[2:]
		}
	}
	return n.String()
}

// inRedis reports whether Redis 7.0 has a command, outside of a Sentinel.
func inRedis(c *Command) bool {
	return c.Since != "" && c.Since < "7.2" && c.Group != Sentinel
}

func TestTheTableSaysWhatRedisSays(t *testing.T) {
	l := startLive(t)
	for _, version := range []int{2, 3} {
		l.do("HELLO", fmt.Sprint(version))
		compared := 0
		for _, c := range AllCommands() {
			if !inRedis(c) {
				continue
			}
			want := parseReply(t, l.do("COMMAND", "INFO", c.Name))
			got := parseReply(t, written(version, func(w *Writer) { w.Array(1); c.info(w) }))
			if got, want := told(got.list[0]), told(want.list[0]); got != want {
				t.Errorf("%s in RESP %d:\ngot  %s\nwant %s", c.Name, version, got, want)
			}
			docs := parseReply(t, l.do("COMMAND", "DOCS", c.Name))
			for i, e := range docs.list[1].list {
				if e.text == "since" && docs.list[1].list[i+1].text != c.Since || e.text == "group" && docs.list[1].list[i+1].text != string(c.Group) {
					t.Errorf("%s: Redis says %s %s", c.Name, e.text, docs.list[1].list[i+1].text)
				}
			}
			compared++
		}
		if compared < 100 {
			t.Errorf("only %d were compared", compared)
		}
	}
}

// filled is a request of c's that has as many arguments as it needs.
func filled(c *Command) []string {
	args := strings.Split(c.Name, "|")
	for len(args) < max(c.Arity, -c.Arity) {
		args = append(args, "1")
	}
	return args
}

func TestWhatIsServedBeforeLoginIsAsInRedis(t *testing.T) {
	l := startLive(t)
	l.do("CONFIG", "SET", "requirepass", "x")
	for _, c := range AllCommands() {
		if !inRedis(c) || len(c.Subcommands) > 0 || c.Name == "quit" {
			continue
		}
		l.dial()
		refused := strings.Contains(l.do(filled(c)...), string(ErrNoAuth))
		if refused == c.Has(NoAuth) {
			t.Errorf("%s: refused %v, NoAuth %v", c.Name, refused, c.Has(NoAuth))
		}
	}
}

func TestWhatIsQueuedInATransactionIsAsInRedis(t *testing.T) {
	l := startLive(t)
	for _, c := range AllCommands() {
		if !inRedis(c) || len(c.Subcommands) > 0 {
			continue
		}
		l.dial()
		l.do("MULTI")
		reply := l.do(filled(c)...)
		if queued := reply == "+QUEUED\r\n"; queued == c.Has(AtOnce) {
			t.Errorf("%s: queued %v, AtOnce %v", c.Name, queued, c.Has(AtOnce))
		}
		if refused := strings.HasSuffix(reply, "inside MULTI is not allowed\r\n") || strings.HasSuffix(reply, "can not be nested\r\n"); refused != c.Has(NoMulti) {
			t.Errorf("%s: %q, NoMulti %v", c.Name, reply, c.Has(NoMulti))
		}
	}
}

func TestACategoryHasTheCommandsThatRedisListsThere(t *testing.T) {
	l := startLive(t)
	for _, category := range append(categoryOrder, "none") {
		want := map[string]bool{}
		for _, e := range parseReply(t, l.do("COMMAND", "LIST", "FILTERBY", "ACLCAT", category)).list {
			want[e.text] = true
		}
		got := map[string]bool{}
		list := serve(2, bulks("COMMAND", "LIST", "FILTERBY", "ACLCAT", category)).out
		for _, e := range parseReply(t, list).list {
			got[e.text] = true
		}
		for _, c := range AllCommands() {
			if inRedis(c) && !c.Has(Refused) && got[c.Name] != want[c.Name] {
				t.Errorf("%s in %s: got %v", c.Name, category, got[c.Name])
			}
		}
	}
}
