package storage

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"
)

// stopInBootstrap has Raft bootstrap, and the log find no space: what is stored then is what an end of the
// process between Raft's two steps leaves.
func stopInBootstrap(t *testing.T, s *Storage) {
	t.Helper()
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = "n1", quiet()
	servers := raft.Configuration{Servers: []raft.Server{{ID: "n1", Address: "n1"}}}
	_, transport := raft.NewInmemTransport("n1")
	logs := &failing{backend: s.store.backend, err: fullDisk}
	if err := raft.BootstrapCluster(c, logs, s.Stable, s.Snapshots, transport, servers); err == nil {
		t.Fatal("bootstrapped on a full disk")
	}
}

// A directory whose cluster was formed by half is empty, and Raft forms it again.
func TestHalfBootstrap(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	id := s.ShortID
	stopInBootstrap(t, s)
	mustClose(t, s)
	looked, err := Look(dir, quiet())
	if err != nil || looked.Known {
		t.Fatalf("looked at: known %v, %v", looked.Known, err)
	}
	mustClose(t, looked)
	for range 2 {
		s = mustOpen(t, dir)
		state, err := raft.HasExistingState(s.Logs, s.Stable, s.Snapshots)
		if err != nil || state || s.Known || s.ShortID != id {
			t.Errorf("opened: state %v, %v, known %v, id %s after %s", state, err, s.Known, s.ShortID, id)
		}
		mustClose(t, s)
	}
	s = mustOpen(t, dir) // and once more without a start between the two
	defer mustClose(t, s)
	stopInBootstrap(t, s)
	if err := s.ForgetBootstrap(); err != nil {
		t.Error(err)
	}
	if state, err := raft.HasExistingState(s.Logs, s.Stable, s.Snapshots); err != nil || state {
		t.Errorf("while it is open: state %v, %v", state, err)
	}
}

// Whatever a server may have promised somebody is kept: a vote, a later term, what is in its log or in a
// snapshot.
func TestPromisesAreNoHalfBootstrap(t *testing.T) {
	for name, promise := range map[string]func(s *Storage) error{
		"a candidate": func(s *Storage) error { return s.Stable.Set([]byte(keyVoteCandidate), []byte("n2")) },
		"a vote": func(s *Storage) error {
			return errors.Join(s.Stable.SetUint64([]byte(keyVoteTerm), 1), s.Stable.Set([]byte(keyVoteCandidate), []byte("n2")))
		},
		"a later term": func(s *Storage) error { return s.Stable.SetUint64([]byte(keyTerm), 2) },
		"an entry":     func(s *Storage) error { return s.Logs.StoreLog(&raft.Log{Index: 1, Term: 1}) },
		"a snapshot": func(s *Storage) error {
			snapshot(t, s, 5, true)
			return nil
		},
	} {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		stopInBootstrap(t, s)
		if err := promise(s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		term, err := s.Stable.GetUint64([]byte(keyTerm))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ForgetBootstrap(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		mustClose(t, s)
		s = mustOpen(t, dir)
		if now, err := s.Stable.GetUint64([]byte(keyTerm)); err != nil || now != term || !s.Known {
			t.Errorf("%s: term %d after %d, %v, known %v", name, now, term, err, s.Known)
		}
		mustClose(t, s)
	}
}
