package eviction

import (
	"fmt"
	"runtime"
	"testing"
	"time"
	"weak"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
)

// What lies in the emptiest pages of all users together is copied, and what is not sparse is left alone.
func TestCompactor(t *testing.T) {
	const items = 15_000
	g := newLog(t, fsm.Limits{})
	users := []uint64{g.user("alice"), g.user("bob")}
	key := func(i int) []byte { return fmt.Appendf(nil, "key-%010d", i) }
	for i := 0; i < items; {
		var batch []fsm.Command
		for range 1000 {
			batch = append(batch, fsm.Command{Op: fsm.OpSet, User: users[i%2], Key: key(i), Value: make([]byte, 600)})
			i++
		}
		g.write(batch...)
	}
	g.settle()()
	c := &Compactor{Shares: g.fsm.Shares}
	if n := c.look(t.Context()); n != 0 {
		t.Errorf("%d bytes were copied, and nothing is sparse", n)
	}
	for _, user := range users {
		gone := fsm.Command{Op: fsm.OpDelete, User: user}
		for i := range items {
			if i*7919%100 >= 40 {
				gone.Words = append(gone.Words, key(i))
			}
		}
		g.write(gone)
	}
	g.settle()()
	all := items * 40 / 100 * (14 + 14 + 600)
	if n := c.look(t.Context()); n < all/8 || n > all/3 { // a quarter, but for what the runtime puts elsewhere
		t.Errorf("%d bytes were copied, of %d", n, all)
	}
}

// Chunks with little in them are emptied, of each user that has many such.
func TestDefragmenterEmptiesChunks(t *testing.T) {
	const items = 60_000
	g := newLog(t, fsm.Limits{})
	users := []uint64{g.user("alice"), g.user("bob")}
	key := func(i int) []byte { return fmt.Appendf(nil, "key-%010d", i) }
	set := func(i int) fsm.Command {
		return fsm.Command{Op: fsm.OpSet, User: users[i%2], Key: key(i), Value: make([]byte, 32)}
	}
	for i := 0; i < items; {
		var batch []fsm.Command
		for range 1000 {
			batch = append(batch, set(i))
			i++
		}
		g.write(batch...)
	}
	g.settle()()
	collections := uint64(0)
	d, w := &Defragmenter{Shares: g.fsm.Shares, Collections: func() uint64 { return collections }}, watch{since: time.Now()}
	dead := func(user uint64) int64 {
		runtime.GC()
		return (&cache.Defrag{Of: g.fsm.Shares().Keyspace(user)}).Unused()
	}
	full := []int64{dead(users[0]), dead(users[1])}
	gone := fsm.Command{Op: fsm.OpDelete, User: users[0]}
	for i := 0; i < items; i += 2 {
		if i*7919%100 >= 30 {
			gone.Words = append(gone.Words, key(i))
		}
	}
	g.write(gone)
	g.settle()()
	before, hash := dead(users[0]), g.fsm.Shares().Keyspace(users[0]).Len()
	d.look(t.Context(), &w)
	d.look(t.Context(), &w)
	if !w.held || w.emptied == 0 {
		t.Fatalf("what was emptied holds nothing up: %+v", w)
	}
	alive := weak.Make(new([1000]byte))
	w.since = time.Now().Add(-2 * heldFor)
	d.look(t.Context(), &w)
	if alive.Value() != nil {
		t.Error("no collection was forced")
	}
	for range 16 {
		d.look(t.Context(), &w)
		runtime.GC()
		collections++
	}
	if after := dead(users[0]); after > before/2 || before < 4*full[0] {
		t.Errorf("%d bytes lie unused, of %d; %d when nothing had gone", after, before, full[0])
	}
	if dead(users[1]) != full[1] {
		t.Error("chunks that are full were emptied")
	}
	if g.fsm.Shares().Keyspace(users[0]).Len() != hash {
		t.Error("items are missing")
	}
}
