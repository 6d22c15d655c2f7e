package cluster

import (
	"bytes"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/storage"
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
	behind := c.followers()[0].config.Node
	c.stop(behind)

	var stop atomic.Bool
	var wg sync.WaitGroup
	leader := c.leader()
	write := func(id int) {
		value := bytes.Repeat([]byte("v"), 4000)
		for i := 0; !stop.Load(); i++ {
			set := fsm.Command{Op: fsm.OpSet, User: uid, Key: fmt.Append(nil, id, "-", i%200), Value: value}
			if _, err := leader.Propose(fsm.NewGroup(set), patience).Wait(); err != nil {
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

// fullOfSnapshots is a store of snapshots that has no room for the first few.
type fullOfSnapshots struct {
	raft.SnapshotStore
	fail int

	mu    sync.Mutex // tries
	tries []time.Time
}

func (f *fullOfSnapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration,
	configurationIndex uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries = append(f.tries, time.Now())
	if len(f.tries) <= f.fail {
		return nil, &fs.PathError{Op: "mkdir", Path: "snapshots", Err: syscall.ENOSPC}
	}
	return f.SnapshotStore.Create(version, index, term, c, configurationIndex, trans)
}

// A snapshot that failed is tried again when some time has passed, whether or not anything is written.
func TestSnapshotAgain(t *testing.T) {
	poll, least, again := compactPoll, compactMin, compactAgain
	t.Cleanup(func() { compactPoll, compactMin, compactAgain = poll, least, again })
	compactPoll, compactMin, compactAgain = 5*time.Millisecond, 1<<16, 100*time.Millisecond
	c := newTestCluster(t, 1)
	config := c.config("n1")
	config.RaftLog = config.Log
	st, err := storage.Open(config.DataDir, config.Log, config.Fatal)
	if err != nil {
		t.Fatal(err)
	}
	full := &fullOfSnapshots{SnapshotStore: st.Snapshots, fail: 3}
	st.Snapshots = full
	n := madeNode(t, config, st)
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	c.add(n)
	eventually(t, "ready", n.Ready)
	set := fsm.Command{Op: fsm.OpSet, User: c.user(n), Key: []byte("k"), Value: bytes.Repeat([]byte("v"), 100<<10)}
	c.do(n, &set)
	c.do(n, &set) // the state is as large as one of them, and a snapshot is not due before more is written
	eventually(t, "a snapshot", func() bool {
		index, _ := n.snapshots.last()
		return index > 0
	})
	full.mu.Lock()
	defer full.mu.Unlock()
	if len(full.tries) != full.fail+1 {
		t.Errorf("%d tries", len(full.tries))
	}
	for i := 1; i < len(full.tries); i++ {
		if pause := full.tries[i].Sub(full.tries[i-1]); pause < compactAgain {
			t.Errorf("tried again after %v", pause)
		}
	}
}
