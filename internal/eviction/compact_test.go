package eviction

import (
	"fmt"
	"testing"

	"ciderd/internal/fsm"
)

// What lies in the emptiest pages of all users together is copied, and what is not sparse is left alone.
func TestCompactor(t *testing.T) {
	const items = 30_000
	g := newLog(t, fsm.Limits{})
	users := []uint64{g.user("alice"), g.user("bob")}
	key := func(i int) []byte { return fmt.Appendf(nil, "key-%010d", i) }
	for i := 0; i < items; {
		var batch []fsm.Command
		for range 1000 {
			batch = append(batch, fsm.Command{Op: fsm.OpSet, User: users[i%2], Key: key(i), Value: make([]byte, 300)})
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
	all := items * 40 / 100 * (14 + 14 + 300)
	if n := c.look(t.Context()); n < all/8 || n > all/3 { // a quarter, but for what the runtime puts elsewhere
		t.Errorf("%d bytes were copied, of %d", n, all)
	}
}
