package cluster

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/internal/fsm"
)

// A follower that is behind the log gets a snapshot, under writes that go on, and then keeps up; and
// the log stays bounded.
func TestFollowerFarBehind(t *testing.T) {
	poll, least, trailing := compactPoll, compactMin, trailingBytes
	// Registered before the cluster's own cleanup, so it runs when no node does any more.
	t.Cleanup(func() { compactPoll, compactMin, trailingBytes = poll, least, trailing })
	compactPoll, compactMin, trailingBytes = 20*time.Millisecond, 1<<18, 1<<16
	c := newTestCluster(t, 3)
	c.startAll()
	uid := c.user(c.leader())
	behind := c.followers()[0].self.Node
	c.stop(behind)

	var stop atomic.Bool
	var wg sync.WaitGroup
	leader := c.leader()
	write := func(id int) {
		value := bytes.Repeat([]byte("v"), 4000)
		for i := 0; !stop.Load(); i++ {
			set := fsm.Command{Op: fsm.OpSet, User: uid, Key: fmt.Append(nil, id, "-", i%200), Value: value}
			if _, err := leader.Propose(fsm.AppendCommand(nil, &set), 1, patience).Wait(); err != nil {
				t.Errorf("a write: %v", err)
				return
			}
		}
	}
	for id := range 4 {
		wg.Go(func() { write(id) })
	}
	defer wg.Wait()
	defer stop.Store(true)
	first := func() uint64 {
		index, err := leader.storage.Logs.FirstIndex()
		if err != nil {
			t.Error(err)
		}
		return index
	}
	eventually(t, "the log was cut behind the follower", func() bool { return first() > 100 })
	n := c.start(behind)
	eventually(t, "ready under writes", n.Ready)
	last, _ := leader.storage.Logs.LastIndex()
	eventually(t, "the log is cut again", func() bool { return first() > last })
	stop.Store(true)
	wg.Wait()
	c.settle()
	dump := leader.FSM().Dump()
	if n.FSM().Dump() != dump {
		t.Error("the follower differs")
	}
	// Once more from disk: a snapshot and the log behind it.
	c.stop(behind)
	n = c.start(behind)
	eventually(t, "ready again", n.Ready)
	c.settle()
	if stateOf(n.FSM().Dump()) != stateOf(dump) {
		t.Error("the follower differs after a restart")
	}
}
