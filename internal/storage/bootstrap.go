package storage

import (
	"errors"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// Raft forms a cluster in two steps: it stores term 1, and then the entry with the first configuration. A crash
// between them leaves a term in which no server has led, as elections begin with term 2. But Raft takes any term
// for a server's state, and does not bootstrap that again. Such a directory has promised nothing to any server, so
// it counts as empty.

const bootstrapTerm = 1

// halfBootstrapped reports whether a directory has only the first step: no vote, no entry, no snapshot.
func (s *Storage) halfBootstrapped() (bool, error) {
	term, err := s.Stable.GetUint64([]byte(keyTerm))
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil || term != bootstrapTerm {
		return false, err
	}
	for _, key := range []string{keyVoteTerm, keyVoteCandidate} {
		if _, err := s.Stable.Get([]byte(key)); !errors.Is(err, raftboltdb.ErrKeyNotFound) {
			return false, err
		}
	}
	last, err := s.store.LastIndex()
	if err != nil || last > 0 {
		return false, err
	}
	snapshots, err := s.Snapshots.List()
	return err == nil && len(snapshots) == 0, err
}

// ForgetBootstrap undoes the first step of a bootstrap whose second did not follow, so that Raft can bootstrap
// again. It changes nothing else; Raft may run.
func (s *Storage) ForgetBootstrap() error {
	if !s.store.stable.TryLock() {
		return nil // Raft is storing its term: a later one, as it bootstraps only when it is asked to
	}
	defer s.store.stable.Unlock()
	half, err := s.halfBootstrapped()
	if err != nil || !half {
		return err
	}
	key, none := []byte(keyTerm), make([]byte, 8)
	return s.store.write("taking back a term", func() error { return s.store.backend.Set(key, summed(key, none)) })
}

// known reports whether the directory is that of a server that may have promised something.
func (s *Storage) known() (bool, error) {
	state, err := raft.HasExistingState(s.store, s.Stable, s.Snapshots)
	if err != nil || !state {
		return false, err
	}
	half, err := s.halfBootstrapped()
	return !half, err
}
