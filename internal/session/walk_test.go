package session

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ciderd/internal/cache"
	"ciderd/internal/protocol"
	"ciderd/test/norace"
)

// page asks for a page of keys behind after ("": from the start), and returns them, and behind what the next one begins.
func (p *peer) page(after string, limit int, glob string) (keys []string, more string) {
	p.t.Helper()
	req := protocol.Request{Verb: protocol.VerbKeys, Limit: limit}
	if after != "" {
		req.After = b(after)
	}
	if glob != "" {
		req.Glob = b(glob)
	}
	p.said = nil
	p.Do(&req)
	if len(p.said) < 3 || !strings.HasPrefix(p.said[1], "begin ") {
		p.t.Fatalf("KEYS AFTER %s: %q", after, p.said)
	}
	last := p.said[len(p.said)-1]
	for _, said := range p.said[2 : len(p.said)-1] {
		keys = append(keys, strings.TrimPrefix(said, "key "))
	}
	more, ok := strings.CutPrefix(last, "more ")
	if !ok && last != "end" {
		p.t.Fatalf("KEYS AFTER %s ends in %q", after, last)
	}
	if !ok {
		more = ""
	}
	return keys, more
}

// walk goes through all keys, with between called after each page.
func (p *peer) walk(limit int, glob string, between func(page int)) (all []string) {
	p.t.Helper()
	for after, n := "", 0; ; n++ {
		keys, more := p.page(after, limit, glob)
		if len(keys) > limit {
			p.t.Fatalf("a page of %d", len(keys))
		}
		all = append(all, keys...)
		if more == "" {
			return all
		}
		if after = more; between != nil {
			between(n)
		}
	}
}

func (w *world) keyspace(name string) *cache.Keyspace {
	w.t.Helper()
	u, ok := w.node.FSM().Lookup(b(name))
	if !ok {
		w.t.Fatalf("there is no %s", name)
	}
	return w.node.FSM().Reader(u.ID).Keyspace()
}

// number gives the user keys k000000, … in an order that is none.
func (w *world) number(name string, n int) {
	ks := w.keyspace(name)
	for _, i := range rand.New(rand.NewPCG(1, uint64(n))).Perm(n) {
		ks.Set(fmt.Appendf(nil, "k%06d", i), nil, 0)
	}
}

func numbered(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("k%06d", i))
	}
	return keys
}

// What a walk costs grows with the keys, not with their square: also while keys are written.
func TestWalkCostsOnce(t *testing.T) {
	norace.Alone(t)
	const n = 100_000
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	w.number("u", n)
	ks := w.keyspace("u")
	if got := p.walk(1000, "", func(page int) { ks.Set(fmt.Appendf(nil, "k%06d", page), b("v"), 0) }); !slices.Equal(got, numbered(n)) {
		t.Errorf("%d keys", len(got))
	}
	if looked := w.sessions.Stats().Looked; looked > 5*n {
		t.Errorf("%d keys were looked at in a walk through %d", looked, n)
	}
}

// Where there is no room for a list of all keys a walk costs some looks at all keys, and not one for each page; the walk
// is the same.
func TestWalkWithLittleRoom(t *testing.T) {
	norace.Alone(t)
	const n = 20_000
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	ks := w.keyspace("u")
	long := strings.Repeat("-", 100)
	for i := range n {
		ks.Set(fmt.Appendf(nil, "k%06d%s", i, long[:i%100]), nil, 0)
	}
	walk := func(what string, limit int, glob string, found, least, most int) {
		t.Helper()
		before := w.sessions.Stats().Looked
		if got := p.walk(limit, glob, nil); len(got) != found || !slices.IsSorted(got) {
			t.Errorf("%s: %d keys", what, len(got))
		}
		if looked := int(w.sessions.Stats().Looked - before); looked < least*n || looked > most*n {
			t.Errorf("%s: %d keys were looked at in a walk through %d", what, looked, n)
		}
		if lists := &w.sessions.lists; lists.bytes > lists.most.Load() {
			t.Errorf("%s: lists of %d bytes", what, lists.bytes)
		}
	}
	w.sessions.SetListBytes(200_000) // a seventh
	walk("windows", 50, "", n, 8, 45)
	walk("windows, a glob", 50, "*7*", 6878, 8, 60)
	w.sessions.SetListBytes(1)
	walk("no list", 1000, "", n, 20, 21)
	w.sessions.SetListBytes(0)
	walk("one list", 50, "", n, 3, 5) // the first page, twice for the list, and the pages from it
}

// A walk that begins shows all that its user has written before, whatever lists there are.
func TestWalkShowsOwnWrites(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p, other := w.user("u"), w.user("u")
	w.number("u", 3000)
	has := func(what string, p *peer, after, want string) {
		t.Helper()
		if keys, _ := p.page(after, 2000, ""); !slices.Contains(keys, want) {
			t.Errorf("%s: no %s", what, want)
		}
	}
	set := func(key string) {
		p.do(protocol.Request{Verb: protocol.VerbSet, Key: b(key), Value: b("v")}, "flush", word(protocol.OK))
	}
	_, more := p.page("", 1000, "")
	_, more = p.page(more, 1000, "") // from a list
	set("k000000x")
	has("from the start", p, "", "k000000x")
	has("from the start, of another session", other, "", "k000000x")
	set("k002500x")
	has("behind a key where no page ended", p, "k001234", "k002500x")
	set("k002600x")
	has("the walk goes on by an older list", p, more, "k002500")
	_, more = other.page("", 1000, "")
	has("a walk that began later", p, more, "k001500")
	if keys, _ := p.page(more, 3000, ""); !slices.Contains(keys, "k002600x") {
		t.Error("a walk that began later goes on by an older list")
	}
}

// Keys that have gone are not answered: deleted, expired, flushed, in a cache that a restore has replaced.
func TestWalkLooksKeysUp(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	w.number("u", 3000)
	ks := w.keyspace("u")
	_, first := p.page("", 1000, "")
	keys, more := p.page(first, 1000, "")
	ks.Delete(b("k002000"))
	ks.Set(b("k002001"), nil, w.node.Clock().Now()+1000)
	if keys, _ := p.page(more, 1, ""); !slices.Equal(keys, []string{"k002001"}) {
		t.Errorf("%q", keys)
	}
	w.node.Advance(2 * time.Second)
	p.Rest()
	if keys, _ := p.page(more, 1, ""); !slices.Equal(keys, []string{"k002002"}) {
		t.Errorf("%q", keys)
	}
	if keys, _ := p.page(more, 3, "*5"); !slices.Equal(keys, []string{"k002005", "k002015", "k002025"}) {
		t.Errorf("%q", keys)
	}
	w.restore()
	if w.keyspace("u") == ks {
		t.Fatal("the cache has not been replaced")
	}
	w.keyspace("u").Delete(b("k001000"))
	if again, _ := p.page(first, 1000, ""); len(again) != len(keys) || again[0] != "k001001" {
		t.Errorf("after a restore: %q, …", again[0])
	}
	p.do(protocol.Request{Verb: protocol.VerbFlush}, "flush", word(protocol.OK))
	if keys, more := p.page(more, 1000, ""); len(keys) > 0 || more != "" {
		t.Errorf("after FLUSH: %q", keys)
	}
}

// restore replaces the state by its own snapshot.
func (w *world) restore() {
	w.t.Helper()
	snapshot, err := w.node.FSM().Snapshot()
	if err != nil {
		w.t.Fatal(err)
	}
	var s sink
	if err := snapshot.Persist(&s); err != nil {
		w.t.Fatal(err)
	}
	if err := w.node.FSM().Restore(io.NopCloser(&s)); err != nil {
		w.t.Fatal(err)
	}
}

type sink struct{ bytes.Buffer }

func (*sink) ID() string    { return "" }
func (*sink) Cancel() error { return nil }
func (*sink) Close() error  { return nil }

// While keys come, change and go: what is there throughout is found once and in order, and nothing that has gone.
func TestWalkWhileKeysChange(t *testing.T) {
	norace.Alone(t)
	for seed := range uint64(6) {
		w := start(t, Config{}, Bounds{})
		p := w.user("u")
		rnd := rand.New(rand.NewPCG(7, seed))
		w.sessions.SetListBytes([]int64{0, 3000, 8000}[seed%3]) // for 20 KB, if all keys are to be in one
		ks := w.keyspace("u")
		key := func() []byte { return fmt.Appendf(nil, "%d", rnd.IntN(2000)) }
		change := func(times int) {
			for range times {
				if rnd.IntN(2) == 0 {
					ks.Set(key(), nil, 0)
				} else {
					ks.Delete(key())
				}
			}
		}
		change(2000)
		for range 3 {
			throughout := map[string]bool{}
			for i := range 2000 {
				name := fmt.Sprint(i)
				_, throughout[name] = ks.Get(b(name), 0)
			}
			got := p.walk(1+rnd.IntN(200), "", func(int) {
				change(rnd.IntN(30))
				for name := range throughout {
					if _, ok := ks.Get(b(name), 0); !ok {
						throughout[name] = false
					}
				}
			})
			if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
				t.Fatalf("seed %d: out of order, or twice: %q", seed, got)
			}
			for name, there := range throughout {
				if _, found := slices.BinarySearch(got, name); there && !found {
					t.Fatalf("seed %d: %s was there throughout", seed, name)
				}
			}
		}
	}
}

// A scan that makes a list ends as any other does, wherever it is; what it has taken is given back.
func TestResetEndsAList(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	w.number("u", 3*sliceKeys)
	_, more := p.page("", 10, "")
	for _, looks := range []int{1, 4, 8, 20} { // counting, copying, sorting
		n := 0
		p.onLook = func() {
			if n++; n == looks {
				p.reset.Store(true)
			}
		}
		p.do(protocol.Request{Verb: protocol.VerbKeys, Limit: 10, After: b(more)}, "flush")
		if n != looks {
			t.Errorf("it has gone on: looked %d times, not %d", n, looks)
		}
		if s := w.sessions.Stats(); s.Scans != 0 || s.Scanning != 0 || w.sessions.lists.bytes != 0 {
			t.Errorf("after %d looks: %+v, %d bytes of lists", looks, s, w.sessions.lists.bytes)
		}
		p.reset.Store(false)
		p.Sent(false, false)
	}
	p.onLook = nil
	if keys, _ := p.page(more, 10, ""); len(keys) != 10 || keys[0] != "k000010" {
		t.Errorf("%q", keys)
	}
}
