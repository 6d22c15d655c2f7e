package session

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/pipeline"
	"ciderd/internal/protocol"
	"ciderd/test/norace"
)

// scan asks for a page of SCAN and returns its keys, and where to go on.
func (p *peer) scan(cursor uint64, count int, match Matcher) (keys []string, next uint64) {
	p.t.Helper()
	p.said = nil
	answered := 0
	p.scanPage(&ScanRequest{Cursor: cursor, Count: count, Match: match}, func(s Scanned) {
		answered++
		for key := range s.Keys() {
			keys = append(keys, string(key))
		}
		if len(keys) != s.Len() {
			p.t.Errorf("%d keys, and %d are announced", len(keys), s.Len())
		}
		next = s.Next
	})
	if answered != 1 || !slices.Equal(p.said, []string{"flush"}) {
		p.t.Fatalf("SCAN %d is answered %d times, and %q", cursor, answered, p.said)
	}
	return keys, next
}

// iterate goes through all keys, with between called after each page.
func (p *peer) iterate(count int, match Matcher, between func()) (all []string) {
	p.t.Helper()
	cursor := uint64(0)
	for range 10_000 {
		keys, next := p.scan(cursor, count, match)
		all = append(all, keys...)
		if next == 0 {
			return all
		}
		if next <= cursor || next >= fsm.Positions {
			p.t.Fatalf("%d comes behind %d", next, cursor)
		}
		if cursor = next; between != nil {
			between()
		}
	}
	p.t.Fatal("an iteration does not end")
	return nil
}

func glob(pattern string) Matcher {
	g := protocol.CompileGlob(b(pattern))
	return &g
}

func (w *world) seed(s fsm.Seed) {
	w.node.Propose(fsm.NewGroup(fsm.SetSeed(s)), time.Second)
}

// inOrder sorts keys as SCAN is to find them.
func (w *world) inOrder(keys []string) []string {
	seed := w.node.FSM().Seed()
	slices.SortFunc(keys, func(a, b string) int { return int(seed.Position([]byte(a))) - int(seed.Position([]byte(b))) })
	return keys
}

// What an iteration costs grows with the keys, not with their square: also while keys are written.
func TestIterationCostsOnce(t *testing.T) {
	norace.Alone(t)
	const n = 30_000
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	w.number("u", n)
	ks, page := w.keyspace("u"), 0
	got := p.iterate(100, nil, func() { ks.Set(fmt.Appendf(nil, "k%06d", page), b("v"), 0); page++ })
	if !slices.Equal(got, w.inOrder(numbered(n))) {
		t.Errorf("%d keys", len(got))
	}
	if looked := w.sessions.Stats().Looked; looked > 5*n {
		t.Errorf("%d keys were looked at in an iteration over %d", looked, n)
	}
}

// Where there is no room for a list of all keys an iteration costs some looks at all keys, and not one for each page.
func TestIterationWithLittleRoom(t *testing.T) {
	norace.Alone(t)
	const n = 20_000
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	ks := w.keyspace("u")
	var want []string
	long := strings.Repeat("-", 100)
	for i := range n {
		want = append(want, fmt.Sprintf("k%06d%s", i, long[:i%100]))
		ks.Set(b(want[i]), nil, 0)
	}
	p.scan(0, 1, nil) // makes a seed
	w.inOrder(want)
	iterate := func(what string, count, least, most int) {
		t.Helper()
		before := w.sessions.Stats().Looked
		if got := p.iterate(count, nil, nil); !slices.Equal(got, want) {
			t.Errorf("%s: %d keys", what, len(got))
		}
		if looked := int(w.sessions.Stats().Looked - before); looked < least*n || looked > most*n {
			t.Errorf("%s: %d keys were looked at in an iteration over %d", what, looked, n)
		}
		if lists := &w.sessions.lists; lists.bytes > lists.most.Load() {
			t.Errorf("%s: lists of %d bytes", what, lists.bytes)
		}
	}
	w.sessions.SetListBytes(250_000) // a sixth
	iterate("spans", 50, 8, 30)
	w.sessions.SetListBytes(1)
	iterate("no list", 1000, 20, 21)
	w.sessions.SetListBytes(0)
	iterate("one list", 50, 3, 5)
	if got := p.walk(1000, "", nil); len(got) != n { // its list takes no place of the other
		t.Errorf("%d keys by KEYS", len(got))
	}
	if lists := &w.sessions.lists; len(lists.lists) != 2 {
		t.Errorf("%d lists", len(lists.lists))
	}
}

// COUNT is how many keys are looked at; what matches of them is answered.
func TestCountIsOfKeysLookedAt(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	w.number("u", 1000)
	cursor, found := uint64(0), 0
	for page := range 10 {
		keys, next := p.scan(cursor, 100, glob("*7"))
		if found += len(keys); (next == 0) != (page == 9) {
			t.Fatalf("page %d goes on at %d", page, next)
		}
		cursor = next
	}
	if found != 100 {
		t.Errorf("%d keys end in 7", found)
	}
	if all, next := p.scan(0, math.MaxInt, nil); len(all) != 1000 || next != 0 {
		t.Errorf("%d keys, and there is more at %d", len(all), next)
	}
	if one, next := p.scan(0, -5, nil); len(one) != 1 || next == 0 {
		t.Errorf("%d keys, and there is more at %d", len(one), next)
	}
}

// Any number is a cursor: it goes on from there.
func TestAnyCursorGoesOn(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	w.number("u", 100)
	p.scan(0, 10, nil)
	order := w.inOrder(numbered(100))
	at := w.node.FSM().Seed().Position(b(order[50]))
	for cursor, want := range map[uint64][]string{
		1: order, at - 1: order[50:], at: order[50:], at + 1: order[51:],
		fsm.Positions - 1: nil, fsm.Positions: nil, math.MaxUint64: nil, 1 << 63: nil,
	} {
		if got, next := p.scan(cursor, 1000, nil); !slices.Equal(got, want) || next != 0 {
			t.Errorf("from %d: %d keys, want %d; more at %d", cursor, len(got), len(want), next)
		}
	}
	before := w.sessions.Stats().Looked
	if p.scan(fsm.Positions, 10, nil); w.sessions.Stats().Looked != before {
		t.Error("keys are looked at where there can be none")
	}
}

// Keys that have gone are not answered: deleted, expired, flushed, in a cache that a restore has replaced.
func TestIterationLooksKeysUp(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	w.number("u", 3000)
	ks := w.keyspace("u")
	_, first := p.scan(0, 1000, nil)
	_, more := p.scan(first, 1000, nil) // from a list
	order := w.inOrder(numbered(3000))
	ks.Delete(b(order[2000]))
	ks.Set(b(order[2001]), nil, w.node.Clock().Now()+1000)
	ks.Set(b(order[10]), nil, w.node.Clock().Now()+1000)
	if keys, _ := p.scan(more, 2, nil); !slices.Equal(keys, order[2001:2002]) {
		t.Errorf("%q", keys)
	}
	w.node.Advance(2 * time.Second)
	p.Rest()
	if keys, _ := p.scan(more, 3, nil); !slices.Equal(keys, order[2002:2003]) {
		t.Errorf("%q", keys)
	}
	if keys, _ := p.scan(0, 11, nil); !slices.Equal(keys[:10], order[:10]) || keys[10] != order[11] {
		t.Errorf("%q", keys)
	}
	w.restore()
	w.keyspace("u").Delete(b(order[1000]))
	if again, _ := p.scan(first, 1, nil); !slices.Equal(again, order[1001:1002]) {
		t.Errorf("after a restore: %q", again)
	}
	p.do(protocol.Request{Verb: protocol.VerbFlush}, "flush", word(protocol.OK))
	if keys, next := p.scan(more, 1000, nil); len(keys) > 0 || next != 0 {
		t.Errorf("after FLUSH: %q", keys)
	}
}

// An iteration shows all that was there when it began, whatever lists there are, and whoever else is at the same place.
func TestIterationShowsWhatWasThere(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p, other := w.user("u"), w.user("u")
	w.number("u", 3000)
	ks := w.keyspace("u")
	_, at := p.scan(0, 1000, nil)
	p.scan(at, 1000, nil) // makes a list
	order := w.inOrder(numbered(3000))
	_, older := p.scan(0, 1000, nil)
	ks.Delete(b(order[1500]))
	ks.Set(b(order[1500]), nil, 0) // a key that the list has
	late := "late"                 // and one that it has not
	for i := 0; ; i++ {
		if late = fmt.Sprint("late", i); w.node.FSM().Seed().Position(b(late)) > at {
			break
		}
	}
	ks.Set(b(late), nil, 0)
	_, newer := other.scan(0, 1000, nil)
	p.scan(0, 1000, nil)
	if newer != older {
		t.Fatal("the pages of both do not end at the same place")
	}
	// The older iteration's next page ends there too, later.
	p.login.user.cursors.ended(cursorBytes(older), 1)
	if keys, _ := other.scan(newer, 3000, nil); !slices.Contains(keys, late) {
		t.Error("what was there when an iteration began is missing")
	}
}

// While keys come, change and go, lists go, memory is short, the state is restored, and pages come from one node and
// another: what is there throughout is found, and nothing that never was.
func TestIterationWhileKeysChange(t *testing.T) {
	norace.Alone(t)
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(7, seed))
		var worlds [2]*world
		var peers [2]*peer
		for i := range worlds {
			worlds[i] = start(t, Config{}, Bounds{})
			worlds[i].seed(fsm.Seed{1, byte(seed)})
			worlds[i].sessions.SetListBytes([]int64{0, 8000, 20_000, 1}[seed%4]) // for 45 KB, if all keys are to be in one
			peers[i] = worlds[i].user("u")
		}
		key := func() []byte { return fmt.Appendf(nil, "%d", rnd.IntN(2000)) }
		there := map[string]bool{}
		change := func(times int) {
			for range times {
				k, set := key(), rnd.IntN(2) == 0
				for _, w := range worlds {
					if set {
						w.keyspace("u").Set(k, nil, 0)
					} else {
						w.keyspace("u").Delete(k)
					}
				}
				there[string(k)] = set
			}
		}
		change(2000)
		for range 3 {
			throughout := map[string]bool{}
			for k, now := range there {
				throughout[k] = now
			}
			found, cursor := map[string]bool{}, uint64(0)
			for again := true; again; again = cursor != 0 {
				i := rnd.IntN(4) / 3 // mostly the first
				var keys []string
				if keys, cursor = peers[i].scan(cursor, 1+rnd.IntN(200), nil); rnd.IntN(8) == 0 {
					worlds[i].restore()
				}
				for _, k := range keys {
					if found[k] = true; !there[k] {
						t.Fatalf("seed %d: %s is not there", seed, k)
					}
				}
				change(rnd.IntN(30))
				if rnd.IntN(20) == 0 {
					change(2000)
				}
				for k, now := range there {
					throughout[k] = throughout[k] && now
				}
			}
			for k, was := range throughout {
				if was && !found[k] {
					t.Fatalf("seed %d: %s was there throughout", seed, k)
				}
			}
		}
	}
}

// Two nodes have the same order, and a restart changes nothing.
func TestNodesAgreeOnTheOrder(t *testing.T) {
	var pages [2][]string
	for i := range pages {
		w := start(t, Config{}, Bounds{})
		w.seed(fsm.Seed{9})
		w.seed(fsm.Seed{byte(i)}) // the first one stays
		p := w.user("u")
		for _, n := range rand.Perm(1000) {
			w.keyspace("u").Set(fmt.Append(nil, n), nil, 0)
		}
		pages[i] = p.iterate(7, nil, func() {
			if rand.IntN(20) == 0 {
				w.restore()
			}
		})
	}
	if len(pages[0]) != 1000 || !slices.Equal(pages[0], pages[1]) {
		t.Errorf("%d and %d keys, in different orders", len(pages[0]), len(pages[1]))
	}
}

// Keys of one position come together: a cursor cannot tell them apart.
func TestKeysOfOnePositionComeTogether(t *testing.T) {
	l := &scanList{span: span{to: fsm.Positions}}
	near := func(count int) *nearest { return &nearest{sc: &scan{}, count: count, next: fsm.Positions} }
	positions := []uint64{1, 2, 5, 5, 5, 6, 9, 9}
	for i, p := range positions {
		l.keys = append(l.keys, placed{p, uint32(i)})
	}
	for _, c := range []struct {
		from  uint64
		count int
		keys  int
		next  uint64
	}{{0, 1, 1, 2}, {2, 1, 1, 3}, {2, 2, 4, 6}, {2, 3, 4, 6}, {3, 1, 3, 6}, {6, 1, 1, 7}, {6, 2, 3, 0}, {7, 1, 2, 0}, {10, 1, 0, 0}, {0, 100, 8, 0}} {
		keys, next := l.page(c.from, c.count)
		if len(keys) != c.keys || next != c.next {
			t.Errorf("%d from %d in a list: %d keys, more at %d; want %d, %d", c.count, c.from, len(keys), next, c.keys, c.next)
		}
		n := near(c.count)
		for range 40 { // enough that some are dropped on the way
			for _, i := range rand.Perm(len(positions)) {
				if positions[i] >= c.from {
					n.add(positions[i], nil)
				}
			}
		}
		if some, next := n.page(); c.keys > 0 && c.count <= 3 && (len(some) == 0 || next != positionsBehind(some, positions)) {
			t.Errorf("%d from %d among all: %d keys, more at %d", c.count, c.from, len(some), next)
		}
	}
}

// positionsBehind is where to go on after a page that is whole: it has all 40 keys of each of its positions.
func positionsBehind(page []positioned, positions []uint64) uint64 {
	times := map[uint64]int{}
	for _, p := range page {
		times[p.position]++
	}
	for p, n := range times {
		of := 0
		for _, other := range positions {
			if other == p {
				of += 40
			}
		}
		if n != of {
			return math.MaxUint64 // not whole
		}
	}
	if last := page[len(page)-1].position; last < positions[len(positions)-1] {
		return last + 1
	}
	return 0
}

// Without a seed SCAN is refused, and one that can makes one; it stays.
func TestFirstScanMakesASeed(t *testing.T) {
	w := start(t, Config{WriteTimeout: time.Second}, Bounds{})
	p := w.user("u")
	refused := func(what, want string) {
		t.Helper()
		p.said = nil
		p.scanPage(&ScanRequest{Count: 10}, func(Scanned) { t.Errorf("%s: answered", what) })
		if !slices.Equal(p.said, []string{"flush", want}) {
			t.Errorf("%s: %q", what, p.said)
		}
	}
	w.node.SetReads(fsm.OpSeed.Since() - 1)
	refused("a server of an older release", "error BUSY")
	w.node.SetReads(fsm.EntryVersion)
	for _, err := range []error{pipeline.ErrNoLeader, pipeline.ErrTimeout, pipeline.ErrBusy, errors.New("any")} {
		w.node.Fail(err)
		refused(err.Error(), "error BUSY")
	}
	w.node.Fail(nil)
	w.node.LeaderReads = fsm.OpSeed.Since() - 1
	refused("the leader knows better", "error BUSY")
	if w.node.LeaderReads = 0; w.node.FSM().Seed() != nil {
		t.Fatal("there is a seed")
	}
	p.scan(0, 10, nil)
	first := *w.node.FSM().Seed()
	if first == (fsm.Seed{}) {
		t.Error("the seed is not random")
	}
	w.node.Fail(pipeline.ErrNoLeader)
	if p.scan(0, 10, nil); *w.node.FSM().Seed() != first {
		t.Error("another seed")
	}
	w = start(t, Config{}, Bounds{})
	p = w.user("u")
	w.node.Fail(pipeline.ErrShutdown)
	refused("the node stops", "error SHUTTING_DOWN")
	if !p.Over() {
		t.Error("the session goes on")
	}
}

func TestScanNeedsALogin(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	never := func(Scanned) { t.Error("answered") }
	p := w.open()
	if p.scanPage(&ScanRequest{}, never); !slices.Equal(p.said, []string{"error AUTH_REQUIRED"}) {
		t.Errorf("%q", p.said)
	}
	p = w.user("u")
	w.node.SetReady(false)
	p.said = nil
	if p.scanPage(&ScanRequest{}, never); !slices.Equal(p.said, []string{"error LOADING"}) {
		t.Errorf("%q", p.said)
	}
	w.node.SetReady(true)
	p.Sent(true, false)
	p.said = nil
	if p.scanPage(&ScanRequest{}, never); !slices.Equal(p.said, []string{"flush"}) {
		t.Errorf("a client that is gone: %q", p.said)
	}
}

// A SCAN that makes a list ends as any other does, wherever it is; what it has taken is given back.
func TestResetEndsAScanList(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	w.number("u", 3*sliceKeys)
	_, more := p.scan(0, 10, nil)
	for _, looks := range []int{1, 3, 5, 8, 15} { // counting, copying, sorting
		n := 0
		p.onLook = func() {
			if n++; n == looks {
				p.reset.Store(true)
			}
		}
		p.said = nil
		p.scanPage(&ScanRequest{Cursor: more, Count: 10}, func(Scanned) { t.Error("answered") })
		if s := w.sessions.Stats(); n != looks || s.Scans != 0 || s.Scanning != 0 || w.sessions.lists.bytes != 0 || p.taken != 0 {
			t.Errorf("looked %d times, not %d: %+v, %d bytes of lists", n, looks, s, w.sessions.lists.bytes)
		}
		p.reset.Store(false)
		p.Sent(false, false)
	}
	p.onLook = nil
	if keys, _ := p.scan(more, 10, nil); !slices.Equal(keys, w.inOrder(numbered(3 * sliceKeys))[10:20]) {
		t.Errorf("%q", keys)
	}
}

// A hostile pattern is given up, and it does not hold up the end of its session.
func TestScanOfAHardPattern(t *testing.T) {
	w := start(t, Config{}, Bounds{ScanSteps: 1 << 20})
	p := w.user("u")
	w.fill("u", 1000)
	g := protocol.CompileGlob(endless.Glob)
	p.scan(0, 1, nil)
	p.said = nil
	p.scanPage(&ScanRequest{Count: 1000, Match: &g}, func(Scanned) { t.Error("answered") })
	if !slices.Equal(p.said, []string{"flush", "error BUSY"}) {
		t.Errorf("%q", p.said)
	}
	p.End()
	p.said = nil
	p.scanPage(&ScanRequest{Count: 1000, Match: &g}, func(Scanned) { t.Error("answered") })
	if !slices.Equal(p.said, []string{"flush", "error SESSION_ENDED"}) {
		t.Errorf("%q", p.said)
	}
}

// What a page holds is taken from the client's share of memory. Where there is none the page is shorter, and nothing is
// left out.
func TestScanTakesMemory(t *testing.T) {
	w := start(t, Config{}, Bounds{ScanBytes: 300_000})
	p := w.user("u")
	w.fill("u", 1000)
	all := p.iterate(1000, nil, nil)
	if slices.Sort(all); len(slices.Compact(all)) != 1000 || p.taken != 0 {
		t.Errorf("%d keys; %d bytes are taken", len(all), p.taken)
	}
	p.full = true
	if keys, next := p.scan(0, 1000, nil); len(keys) != scanFree/1000 || next == 0 || p.taken != 0 {
		t.Errorf("%d keys, more at %d; %d bytes are taken", len(keys), next, p.taken)
	}
	all = p.iterate(1000, nil, nil)
	if slices.Sort(all); len(slices.Compact(all)) != 1000 || p.taken != 0 {
		t.Errorf("%d keys; %d bytes are taken", len(all), p.taken)
	}
	var held []int64
	p.scanPage(&ScanRequest{Count: 30}, func(s Scanned) {
		for range s.Keys() {
			held = append(held, p.Held())
		}
	})
	if len(held) != 30 || held[0] < 30_000 || held[29] > 2_000 || p.Held() != 0 {
		t.Errorf("noted while it is sent: %d bytes; behind it %d", held, p.Held())
	}
	p.scanPage(&ScanRequest{Count: 30}, func(s Scanned) {
		for range s.Keys() {
			if p.answers.gone {
				t.Error("keys are written that nobody will see")
			}
			p.answers.gone = true
		}
	})
}

// A page from a list freezes nothing: the writer would have to copy a table for each.
func TestPagesOfAListFreezeNothing(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	w.number("u", 1000)
	ks := w.keyspace("u")
	copies := func(do func()) bool { // has the next write copy what it is to change?
		ks.Set(b("k000000"), nil, 0)
		before := cache.GlanceAt(ks)
		do()
		ks.Set(b("k000000"), nil, 0)
		return before != cache.GlanceAt(ks)
	}
	_, at := p.scan(0, 10, nil)
	if !copies(func() { _, at = p.scan(at, 10, nil) }) {
		t.Fatal("to make a list freezes the cache, and this does not see it")
	}
	if copies(func() { p.scan(at, 10, nil) }) {
		t.Error("the cache was frozen")
	}
}
