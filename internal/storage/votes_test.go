package storage

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// stableStore is a backend in memory that has no space as long as full is set.
type stableStore struct {
	*raft.InmemStore
	full atomic.Bool

	mu   sync.Mutex // sets
	sets []string
}

func (s *stableStore) Set(key, value []byte) error {
	if s.full.Load() {
		return fullDisk
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets = append(s.sets, string(key))
	return s.InmemStore.Set(key, value)
}

func (s *stableStore) stored() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sets)
}

func (s *stableStore) Close() error { return nil }

// A vote that finds no space before anybody could wait is an error; later it waits for space,
// and the watchdog does not take that for a hang.
func TestVoteWaitsForSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &stableStore{InmemStore: raft.NewInmemStore()}
		hung := func(err error) { t.Error(err) }
		s := &Storage{store: newChecked(b, "/proc", func(err error) { t.Error(err) }, hung)}
		s.Stable = s.store
		b.full.Store(true)
		if err := s.Stable.SetUint64([]byte("CurrentTerm"), 1); !errors.Is(err, fullDisk) {
			t.Fatalf("at the start: %v", err)
		}
		told := 0
		s.Serve(Hooks{
			HangLimit: func() time.Duration { return time.Second },
			Leads:     func() bool { return false }, NoSpace: func() { told++ },
		})
		var ended atomic.Int64
		set := func(key string, term uint64) {
			if err := s.Stable.SetUint64([]byte(key), term); err != nil {
				t.Errorf("%s: %v", key, err)
			}
			ended.Add(1)
		}
		go set("CurrentTerm", 3)
		time.Sleep(time.Minute)
		synctest.Wait()
		if ended.Load() != 0 || !s.WaitsForSpace() || told == 0 {
			t.Fatalf("without room: %d ended, waiting %v, told %d times", ended.Load(), s.WaitsForSpace(), told)
		}
		// What is not Raft's waits for nobody, and is not taken for the vote.
		if err := s.Notes().SetRecovered(1); !errors.Is(err, fullDisk) || !s.WaitsForSpace() {
			t.Errorf("another value: %v, waiting %v", err, s.WaitsForSpace())
		}
		b.full.Store(false)
		time.Sleep(2 * spaceTry)
		synctest.Wait()
		if term, err := s.Stable.GetUint64([]byte("CurrentTerm")); ended.Load() != 1 || s.WaitsForSpace() || term != 3 || err != nil {
			t.Fatalf("with room: %d ended, waiting %v, the term is %d, %v", ended.Load(), s.WaitsForSpace(), term, err)
		}
		s.store.watchdog.close()
	})
}

// After Close a vote that waits is never answered: an error would make Raft panic.
func TestVoteWaitsBeyondClose(t *testing.T) {
	b := &stableStore{InmemStore: raft.NewInmemStore()}
	s := &Storage{store: newChecked(b, t.TempDir(), func(err error) { t.Error(err) }, func(error) {})}
	b.full.Store(true)
	noSpace := make(chan struct{}, 100)
	s.Serve(Hooks{HangLimit: func() time.Duration { return time.Minute }, NoSpace: func() { noSpace <- struct{}{} }})
	ended := make(chan error, 1)
	go func() { ended <- s.store.SetUint64([]byte("CurrentTerm"), 1) }()
	for range 3 { // told by the write and by the wait: the third is of another try
		<-noSpace
	}
	if !s.WaitsForSpace() {
		t.Error("it does not wait")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.full.Store(false)
	select {
	case err := <-ended:
		t.Errorf("answered: %v", err)
	case <-time.After(3 * spacePoll): // that nothing happens has no other sign
	}
}

// Whom a vote is for is stored before its term: a crash in between must not leave the new term with the
// candidate of the last.
func TestVoteIsStoredInOrder(t *testing.T) {
	b := &stableStore{InmemStore: raft.NewInmemStore()}
	c := newChecked(b, t.TempDir(), func(err error) { t.Error(err) }, func(error) {})
	defer c.watchdog.close()
	for term := uint64(1); term < 3; term++ {
		err := errors.Join(c.SetUint64([]byte(keyVoteTerm), term), c.Set([]byte(keyVoteCandidate), fmt.Append(nil, "n", term)))
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(b.stored()); got != "[LastVoteCand LastVoteTerm LastVoteCand LastVoteTerm]" {
		t.Errorf("stored: %s", got)
	}
	term, err1 := c.GetUint64([]byte(keyVoteTerm))
	candidate, err2 := c.Get([]byte(keyVoteCandidate))
	if err := errors.Join(err1, err2); err != nil || term != 2 || string(candidate) != "n2" {
		t.Errorf("the vote of term %d is for %q, %v", term, candidate, err)
	}
}

// A leader that cannot store a change of the servers must not go on; a follower may.
func TestNoRoomForAChangeOfServers(t *testing.T) {
	for _, leads := range []bool{false, true} {
		f := &failing{err: fullDisk}
		c, fatal := checkedOver(t, f)
		c.hooks.Store(&Hooks{Leads: func() bool { return leads }, NoSpace: func() {}})
		if err := c.StoreLog(&raft.Log{Index: 1, Type: raft.LogConfiguration}); !errors.Is(err, fullDisk) {
			t.Errorf("the caller got %v", err)
		}
		if len(*fatal) > 0 != leads {
			t.Errorf("leads %v: ends %v", leads, *fatal)
		}
	}
}
