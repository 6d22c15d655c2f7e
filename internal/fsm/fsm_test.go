package fsm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// What a result tells of can be read, and the time has been told, before the result is told.
func TestResultsComeAfterTheChanges(t *testing.T) {
	var f *FSM
	var stamp int64
	var got []string
	f = New("a/1", Hooks{
		Stamp: func(ms int64) { stamp = ms },
		Results: func(incarnation, sequence uint64, results []Result) {
			user, _ := f.Lookup([]byte("alice"))
			it, ok := f.Reader(1).Keyspace().Get([]byte("k"), stamp)
			got = append(got, fmt.Sprint(incarnation, sequence, len(results), f.Applied(), user.ID, stamp, ok, " ", string(it.Value)))
		},
	})
	batch := func(origin string, sequence uint64, commands ...Command) []byte {
		return entry(Header{Origin: []byte(origin), Incarnation: 5, Sequence: sequence, Stamp: int64(100 * sequence)}, commands...)
	}
	signup := Command{Op: OpSignup, Name: []byte("alice"), Value: []byte("h")}
	logs := []*raft.Log{}
	for i, e := range [][]byte{
		batch("a/1", 1, signup, set("k", "one")), batch("b/1", 1, set("k", "of b")), batch("a/1", 2, set("k", "two")),
		batch("a/1", 2, set("k", "again")), batch("a/1", 4, set("k", "gap")), batch("a/1", 3),
	} {
		logs = append(logs, &raft.Log{Index: uint64(10 + i), Term: 3, Type: raft.LogCommand, Data: e})
	}
	f.ApplyBatch(logs)
	want := []string{"5 1 2 10 1 100 true one", "5 2 1 12 1 200 true two", "5 3 0 15 1 400 true two"}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestConfigurationEntriesCount(t *testing.T) {
	n := withUser(t)
	r := n.ApplyBatch([]*raft.Log{{Index: 2, Term: 9, Type: raft.LogConfiguration, Data: []byte("not ours")}})
	if n.Applied() != 2 || len(r) != 1 || r[0] != uint64(9) || len(n.fatal) > 0 {
		t.Errorf("applied %d, responses %v, fatal %v", n.Applied(), r, n.fatal)
	}
	if c := n.copied(); c.Applied() != 2 {
		t.Errorf("applied %d by a copy", c.Applied())
	}
}

func TestWaitApplied(t *testing.T) {
	n := withUser(t)
	if err := n.WaitApplied(t.Context(), 1); err != nil {
		t.Errorf("of what is applied: %v", err)
	}
	done := make(chan error)
	for _, index := range []uint64{3, 2, 4} {
		go func() {
			err := n.WaitApplied(t.Context(), index)
			if n.Applied() < index {
				err = fmt.Errorf("returned at %d, before %d", n.Applied(), index)
			}
			done <- err
		}()
	}
	why := errors.New("no longer wanted")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { done <- n.WaitApplied(ctx, 1000) }()
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("error %v, want the context's cause", err)
	}
	for i := range 3 {
		n.do(int64(i), set("k", "v"))
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	n.pending.Lock()
	defer n.pending.Unlock()
	if len(n.pending.waiters) > 0 {
		t.Errorf("%d waiters are left", len(n.pending.waiters))
	}
}

// An entry that is applied just as someone begins to wait for it must not be missed.
func TestWaitAppliedBesideApply(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f := New("a/1", Hooks{})
	done := make(chan error)
	for i := range uint64(10_000) {
		var ready atomic.Bool
		go func() {
			ready.Store(true) // so that both are about to run when they meet
			done <- f.WaitApplied(ctx, i+1)
		}()
		for n := uint64(0); !ready.Load() || n < i%64; n++ {
			runtime.Gosched()
		}
		f.ApplyBatch([]*raft.Log{{Index: i + 1, Type: raft.LogConfiguration}})
		if err := <-done; err != nil {
			t.Fatalf("entry %d: %v", i+1, err)
		}
	}
}

func TestWaitAppliedEndsByRestore(t *testing.T) {
	ahead := withUser(t)
	for range 20 {
		ahead.do(5, set("k", "v"))
	}
	n := newNode(t, "b/1")
	done := make(chan error)
	go func() { done <- n.WaitApplied(t.Context(), 20) }()
	n.restore(persist(t, ahead.snapshot()))
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWatch(t *testing.T) {
	n := withUser(t)
	n.one(2, Command{Op: OpSignup, Name: []byte("bob"), Value: []byte("h")}, Result{Kind: KindUser, N: 2})
	var first, second []uint64
	n.Watch(func(id uint64) {
		first = append(first, id)
		if epoch, ok := n.Epoch(2); id == 2 && ok && epoch == 1 {
			t.Error("told before the change can be read")
		}
	})
	n.Watch(func(id uint64) { second = append(second, id) })
	n.do(3, set("k", "v"), Command{Op: OpPasswd, User: 2, Value: []byte("h2"), Arg: []byte("wrong")})
	n.do(4, Command{Op: OpPasswd, User: 2, Value: []byte("h2"), Arg: []byte("h")}, Command{Op: OpPasswd, User: 1, Value: []byte("h3"), Arg: []byte("hash")})
	n.do(5, Command{Op: OpUnregister, User: 2, Arg: []byte("h")}) // no longer the password
	n.do(6, Command{Op: OpUnregister, User: 2, Arg: []byte("h2")})
	n.restore(persist(t, n.snapshot()))
	if want := []uint64{2, 1, 2, 0}; !slices.Equal(first, want) || !slices.Equal(second, want) {
		t.Errorf("told %v and %v, want %v", first, second, want)
	}
}

// Of two changes that were verified against the same password, one wins.
func TestRacingPasswords(t *testing.T) {
	n := withUser(t)
	got := n.do(2, Command{Op: OpPasswd, User: 1, Value: []byte("h2"), Arg: []byte("hash")},
		Command{Op: OpPasswd, User: 1, Value: []byte("h3"), Arg: []byte("hash")},
		Command{Op: OpUnregister, User: 1, Arg: []byte("hash")})
	if got[0].Kind != KindOK || got[1].Kind != KindAuthFailed || got[2].Kind != KindAuthFailed {
		t.Errorf("results %v", got)
	}
	if u, ok := n.Lookup([]byte("alice")); !ok || string(u.Hash) != "h2" || u.Epoch != 2 {
		t.Errorf("%+v %v", u, ok)
	}
}

func TestReaderOfAnAccountThatGoes(t *testing.T) {
	n := withUser(t)
	n.do(2, set("k", "v"))
	r := n.Reader(1)
	before := r.Keyspace()
	n.restore(persist(t, n.snapshot()))
	if r.Keyspace() == nil || r.Keyspace() == before {
		t.Error("a reader holds on to what a restore has replaced")
	}
	n.do(3, Command{Op: OpUnregister, User: 1, Arg: []byte("hash")})
	if r.Keyspace() != nil || n.Reader(1).Keyspace() != nil {
		t.Error("an account that is gone has a cache")
	}
	n.one(4, Command{Op: OpSignup, Name: []byte("alice"), Value: []byte("h")}, Result{Kind: KindUser, N: 2})
	if r.Keyspace() != nil {
		t.Error("the cache of another account of that name can be read")
	}
	c := n.copied()
	if c.Reader(2).Keyspace() == nil || c.Reader(1).Keyspace() != nil {
		t.Error("a copy has other accounts")
	}
}

// An entry that cannot be applied ends the node; until it has ended, nothing that lies behind the
// entry is applied, and nothing is written that would make others believe it had been.
func TestCorruptEntryHalts(t *testing.T) {
	n := withUser(t)
	n.do(2, set("k", "v"))
	want := n.Dump()
	good := entry(Header{Origin: []byte("a/1"), Incarnation: 1, Sequence: n.sequence + 1, Stamp: 3}, set("k", "w"))
	bad := slices.Clone(good)
	bad[len(bad)-1] ^= 1
	n.feed(bad, good)
	n.feed(good)
	n.ApplyBatch([]*raft.Log{{Index: 90, Term: 1, Type: raft.LogConfiguration}})
	if len(n.fatal) != 1 || !errors.Is(n.fatal[0], ErrCorrupt) || !strings.Contains(n.fatal[0].Error(), "log entry 3 of term 1") {
		t.Errorf("fatal: %v", n.fatal)
	}
	var e *EntryError
	if errors.As(n.fatal[0], &e); e == nil || e.Index != 3 || e.Term != 1 {
		t.Errorf("which entry: %+v", e)
	}
	if n.Dump() != want || n.Applied() != 2 {
		t.Errorf("applied %d, and the state changed behind a corrupt entry", n.Applied())
	}
	if _, err := n.Snapshot(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a snapshot behind a corrupt entry: error %v", err)
	}
}

func TestCorruptEntryWithoutHook(t *testing.T) {
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, ErrCorrupt) {
			t.Errorf("panic %v", err)
		}
	}()
	New("a/1", Hooks{}).Apply(&raft.Log{Index: 1, Data: []byte("x")})
	t.Error("went on")
}

// Readers on other goroutines, beside applies and restores; for the race detector.
func TestReadersBesideWrites(t *testing.T) {
	n := withUser(t)
	n.do(1, set("k", "0"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			r := n.Reader(1)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if it, ok := r.Keyspace().Get([]byte("k"), 5); !ok || len(it.Value) == 0 {
					t.Error("an item that is always there was not")
					return
				}
				u, _ := n.Lookup([]byte("alice"))
				if epoch, ok := n.Epoch(1); !ok || u.ID != 1 || epoch == 0 || n.Stats().Users != 1 || n.Size() <= 0 {
					t.Errorf("user %+v, epoch %d %v", u, epoch, ok)
					return
				}
				n.NextDeadline()
			}
		})
	}
	hash := []byte("hash")
	for i := range 300 {
		next := fmt.Appendf(nil, "hash%d", i)
		n.do(int64(i), set("k", fmt.Sprint(i)), setFor("l", "v", 2), Command{Op: OpPasswd, User: 1, Value: next, Arg: hash})
		hash = next
		if i%50 == 49 {
			n.restore(persist(t, n.snapshot()))
		}
	}
	close(stop)
	wg.Wait()
}
