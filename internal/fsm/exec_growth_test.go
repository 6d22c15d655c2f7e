package fsm

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// What has no room is refused as a whole, whatever in it makes it so, and nothing is done.
func TestATransactionIsRefusedAsAWhole(t *testing.T) {
	big := strings.Repeat("v", 300<<10)
	quota := Command{Op: OpQuota, User: 1, N: 1 << 20}
	reject := limits(Limits{MaxMemory: MinMemory, Reject: true, Quota: 1 << 20})
	shut := Command{Op: OpClose, N: 1}
	var copies, appends, later []Command
	for i := range 8 {
		copies = append(copies, move("k", fmt.Sprint("copy", i), FlagCopy))
		appends = append(appends, Command{Op: OpAppend, User: 1, Key: fmt.Append(nil, "copy", i%2), Value: []byte(big[:200<<10])})
	}
	later = append(append([]Command{set("k", big)}, copies[:2]...), appends...)
	for name, c := range map[string]struct {
		before []Command
		cmd    Command
		want   Kind
	}{
		"one large value":                {[]Command{quota}, exec(set("a", "1"), set("k", big), set("l", big), set("m", big), set("n", big)), KindQuota},
		"copies":                         {[]Command{quota, set("k", big)}, exec(copies...), KindQuota},
		"copies of what it stores":       {[]Command{reject}, exec(append([]Command{set("k", big)}, copies...)...), KindQuota},
		"appends to such copies":         {[]Command{reject}, exec(later...), KindQuota},
		"a range far away":               {[]Command{quota}, exec(Command{Op: OpSetRange, User: 1, Key: []byte("r"), N: maxValue - 1, Value: []byte("x")}), KindQuota},
		"a closed state":                 {[]Command{shut}, exec(Command{Op: OpDelete, User: 1, Words: words("there")}, incr("n")), KindMemoryFull},
		"a closed state, nothing stored": {[]Command{shut}, exec(Command{Op: OpDelete, User: 1, Words: words("there")}), KindExec},
		"room that it makes itself": {[]Command{reject, set("a", big), set("b", big), set("c", big)},
			exec(Command{Op: OpDelete, User: 1, Words: words("a", "b")}, set("d", big), set("e", big)), KindExec},
		"room that a flush makes": {[]Command{reject, set("a", big), set("b", big), set("c", big)},
			exec(Command{Op: OpFlush, User: 1}, set("d", big), set("e", big), set("f", big)), KindExec},
		"renames of what is large": {[]Command{reject, set("a", big), set("b", big), set("c", big)},
			exec(move("a", "a2", 0), move("b", "b2", 0), move("c", "c2", 0), move("a2", "a", 0)), KindExec},
		"the same key over and over": {[]Command{reject}, exec(set("k", big), set("k", big), set("k", big), set("k", big), set("k", big)), KindExec},
	} {
		n := withUser(t)
		n.do(1, set("there", "v"))
		n.do(1, c.before...)
		n.do(2)
		version := n.Reader(1).Keyspace().Version()
		r := n.do(2, c.cmd)[0]
		if r.Kind != c.want {
			t.Errorf("%s: %s", name, inWords(Result{Kind: r.Kind, N: r.N}))
		}
		if now := n.Reader(1).Keyspace().Version(); c.want != KindExec && now != version {
			t.Errorf("%s: %d changes were made", name, now-version)
		}
		for _, of := range c.cmd.Exec.kinds(r) {
			if of == KindAtLimit || of == KindQuota || of == KindMemoryFull {
				t.Errorf("%s: a part was refused", name)
			}
		}
	}
}

func (t *Transaction) kinds(r Result) (kinds []Kind) {
	if r.Details != nil {
		for _, of := range r.Details.Results {
			kinds = append(kinds, of.Kind)
		}
	}
	return kinds
}

// At the limit a transaction may still give deadlines, as a command alone may.
func TestDeadlinesAtTheLimitInATransaction(t *testing.T) {
	n := withUser(t)
	n.one(1, limits(Limits{Quota: MinQuota, Reject: true}), Result{Kind: KindOK})
	for i := 0; n.do(1, set(fmt.Sprint(i), strings.Repeat("v", 1000)))[0].Kind == KindOK; i++ {
	}
	for i := 0; n.do(1, set(fmt.Sprint("small", i), ""))[0].Kind == KindOK; i++ {
	}
	expire := Command{Op: OpDeadline, User: 1, Key: []byte("3"), TTL: 1000}
	n.one(2, exec(expire, set("new", "v")), Result{Kind: KindQuota})
	if got := n.results(2, exec(expire)); got[0] != (Result{Kind: KindInt, N: 1}) {
		t.Errorf("%v", got)
	}
}

// What a transaction is said to store at most is never less than what it stores: by the pre-pass in Apply, by the
// leader that knows the state, and by the one that does not look.
func TestATransactionGrowsNoMoreThanForeseen(t *testing.T) {
	for seed := range seeds(t, 8) {
		s := newStory(uint64(seed))
		s.model.users[1] = &modelUser{items: map[string]modelItem{}}
		s.model.now = 1_000_000
		n := withUser(t)
		for range 200 {
			n.do(s.model.now)
			some(s, n)
			later := int64(s.r.IntN(2) * 50)
			growsNoMore(t, n, s.someExec(), later)
			s.model.now += later
			if t.Failed() {
				return
			}
		}
	}
}

// some stores a few items, small and large, with deadlines and without.
func some(s *story, n *node) {
	for range s.r.IntN(4) {
		c := Command{Op: OpSet, User: 1, Key: s.key(), Value: s.sized(), TTL: []int64{0, 5, 100_000}[s.r.IntN(3)]}
		n.do(s.model.now, c)
	}
}

// sized is a number or a text, of any size.
func (s *story) sized() []byte {
	switch s.r.IntN(3) {
	case 0:
		return s.value()
	case 1:
		return s.number()
	}
	return bytes.Repeat([]byte("v"), []int{10, 100, 130, 1000, 5000, 40_000}[s.r.IntN(6)]+s.r.IntN(20))
}

// someExec is a transaction of user 1 with values of any size.
func (s *story) someExec() Command {
	c := exec()
	for range 1 + s.r.IntN(12) {
		inside := Command{User: 1}
		if s.r.IntN(3) == 0 {
			for inside = s.command(); !operations[inside.Op].inside; {
				inside = s.command()
			}
		} else {
			s.keyed(&inside)
		}
		if inside.Value != nil && inside.Op != OpIncrFloat && s.r.IntN(2) == 0 {
			inside.Value = s.sized()
		}
		c.Exec.Add(&inside)
	}
	return c
}

// growsNoMore runs a transaction so much later, when some items may have expired and are still there.
func growsNoMore(t *testing.T, n *node, c Command, later int64) {
	t.Helper()
	e := entry(Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1}, c)
	most := map[string]int64{"by the leader": n.Shares().Growth(e).Total, "without a look": BoundGrowth(e)}

	state, ks := n.state.Load(), n.Reader(1).Keyspace()
	state.time += later // what is due then is not removed first
	a := applier{state: state, account: state.users.byID[1], version: EntryVersion, mine: true}
	of := items{&a, ks}
	f := newForecast(true, of.find)
	f.next(&c)
	g := f.grown(ks.Memory())
	most["by the pre-pass"] = g.need - g.had
	before := ks.Memory()
	r := of.exec(&c)
	for who, most := range most {
		if grew := ks.Memory() - before; grew > most {
			var inside []string
			c.Exec.eachCommand(1, func(c *Command) { inside = append(inside, fmt.Sprintf("%.200s", meaning(c))) })
			t.Errorf("%s: it grew by %d, and not by %d at most:\n%s\n%.3000s", who, grew, most, strings.Join(inside, "\n"), inWords(r))
		}
	}
}

// An expired item is no source, and stays where it is; so it makes no room.
func TestExpiredItemsMakeNoRoom(t *testing.T) {
	xx := set("k", "small")
	xx.Flags = FlagXX
	equal := Command{Op: OpDeleteEqual, User: 1, Key: []byte("k"), Arg: []byte("v")}
	large := strings.Repeat("v", 5000)
	for name, c := range map[string]Command{
		"renamed":            exec(xx, move("k", "to", 0), set("other", large)),
		"not renamed":        exec(move("k", "to", 0), set("other", large)),
		"stored if there":    exec(xx, set("other", large)),
		"removed if equal":   exec(equal, set("other", large)),
		"given a deadline":   exec(Command{Op: OpDeadline, Key: []byte("k"), TTL: 5}, set("other", large)),
		"removed and stored": exec(Command{Op: OpGetDelete, Key: []byte("k")}, set("k", large), move("k", "to", FlagCopy)),
	} {
		n := withUser(t)
		n.do(1, setFor("k", large, 5))
		t.Log(name)
		growsNoMore(t, n, c, 10)
	}
}

// A transaction that would make every node copy too much is refused alone; its copies of what it stores itself count.
func TestATransactionThatCopiesTooMuch(t *testing.T) {
	n := withUser(t)
	large, small := strings.Repeat("v", 500<<10), strings.Repeat("v", 8<<10)
	n.do(1, set("there", large), set("zero", "1e4900"))
	all := func(n int, c Command) (all []Command) {
		for range n {
			all = append(all, c)
		}
		return all
	}
	for name, c := range map[string]struct {
		commands []Command
		busy     bool
	}{
		"a few copies":             {all(8, move("there", "k", FlagCopy)), false},
		"copies":                   {all(9, move("there", "k", FlagCopy)), true},
		"copies of what it stores": {append([]Command{set("new", large)}, all(9, move("new", "k", FlagCopy))...), true},
		"copies of a copy":         {append([]Command{move("there", "new", FlagCopy)}, all(8, move("new", "k", FlagCopy))...), true},
		"deadlines of small ones":  {append([]Command{set("s", small)}, all(600, Command{Op: OpDeadline, Key: []byte("s"), TTL: 5})...), true},
		"ranges":                   {all(5, Command{Op: OpSetRange, Key: []byte("r"), N: maxValue - 1, Value: []byte("x")}), true},
		"ranges in a large value":  {all(9, Command{Op: OpSetRange, Key: []byte("there"), Value: []byte("x")}), true},
		"views":                    {append(all(MaxViews, Command{Op: OpView}), all(7, move("there", "k", FlagCopy))...), true},
		"large numbers":            {all(40, Command{Op: OpIncrFloat, Key: []byte("zero"), Value: []byte("1")}), true},
		"large increments":         {all(40, Command{Op: OpIncrFloat, Key: []byte("f"), Value: []byte("1e4900")}), true},
		"numbers":                  {all(MaxInExec, Command{Op: OpIncrFloat, Key: []byte("f"), Value: []byte("0.1")}), false},
		"looks":                    {all(MaxInExec, look("there")), false},
	} {
		behind := move("there", "l", FlagCopy)
		e := entry(Header{Origin: []byte("a/1"), Incarnation: 1, Sequence: n.sequence + 1, Stamp: 3}, exec(c.commands...), behind)
		bounded, err := Refuse(e, Refusal{Weights: NewWeights(n.FSM)})
		if err != nil {
			t.Fatal(err)
		}
		on := n.copied()
		on.feed(bounded)
		got := on.told[batchID{"a/1", 1, n.sequence + 1}].results
		if busy := got[0].Kind == KindBusy; busy != c.busy || busy && got[1].Kind != KindInt {
			t.Errorf("%s: kind %d, and %d behind it", name, got[0].Kind, got[1].Kind)
		}
	}
}

// The leader counts a transaction that Apply lets through, however large its values are on the way.
func TestGrowthOfATransactionThatMovesLargeValues(t *testing.T) {
	n := withUser(t)
	large := strings.Repeat("v", 300<<10)
	n.do(1, Command{Op: OpQuota, User: 1, N: 1 << 20}, set("a", large))
	c := exec(move("a", "b", 0), move("b", "c", 0), move("c", "d", 0), move("d", "e", FlagCopy), move("e", "a", 0), set("new", large[:100<<10]))
	e := entry(Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1}, c)
	counted, before := n.Shares().Growth(e).Total, n.Shares().Memory()
	n.results(2, c)
	if grew := n.Shares().Memory() - before; grew < 400<<10 || counted < grew || counted > grew+20<<10 {
		t.Errorf("it grew by %d, counted were %d", grew, counted)
	}
	// One that Apply refuses whatever is evicted counts nothing.
	too := exec(move("a", "1", FlagCopy), move("a", "2", FlagCopy), move("a", "3", FlagCopy), move("a", "4", FlagCopy))
	e = entry(Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 2}, too, set("small", "v"))
	n.one(2, too, Result{Kind: KindQuota})
	if got := n.Shares().Growth(e).Total; got > 1000 || got == 0 {
		t.Errorf("%d bytes are counted", got)
	}
	// Nor does it hide what comes behind it.
	e = entry(Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 2}, too, set("1", large[:50<<10]))
	if got := n.Shares().Growth(e).Total; got < 50<<10 {
		t.Errorf("%d bytes are counted of what is stored behind it", got)
	}
}

// What the leader counts for a copy is the value that is on its way to its source.
func TestGrowthKnowsWhatIsInFlight(t *testing.T) {
	n := withUser(t)
	w := NewWeights(n.FSM)
	large := strings.Repeat("v", 500<<10)
	if _, err := Refuse(entry(Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1}, set("k", large)), Refusal{Weights: w}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Command{"a copy": move("k", "l", FlagCopy), "one in a transaction": exec(move("k", "l", 0))} {
		e := entry(Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 2}, c)
		if known := n.Shares().With(func() *Weights { return w }).Growth(e).Total; known < int64(len(large)) {
			t.Errorf("%s: %d bytes", name, known)
		}
		if BoundGrowth(e) < int64(len(large)) {
			t.Errorf("%s: bound %d", name, BoundGrowth(e))
		}
	}
}
