package storage

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// ErrImplausible: a directory is intact, but holds impossible values.
var ErrImplausible = ForPerson("the stored values are impossible")

const (
	// maxTermAhead is how far a term may be above that of the last entry: that many elections without a single
	// write would take decades.
	maxTermAhead = 1 << 32
	maxIndex     = 1 << 62
	maxStarts    = 1 << 62
)

// implausibleWay says what to do. A term cannot be lowered while another server may have voted in it.
const implausibleWay = "nothing was changed; what to do: if other nodes of the cluster run, move the directory away and start again, " +
	"and the node joins as a new one; if all of them say this, run ciderd recover on the one that has most, and start the others with empty directories"

// Plausible checks the directory's term, indexes and count of starts. An absurd one came from a fault or from a
// foreign server, and would spread to every node. The error is ErrImplausible.
func (s *Storage) Plausible() error {
	last, term, err := s.end()
	if err != nil {
		return err
	}
	current, voted, err := s.terms()
	if err != nil {
		return err
	}
	switch {
	case last > maxIndex:
		return fmt.Errorf("%w: the log ends at %d; %s", ErrImplausible, last, implausibleWay)
	case ahead(current, term):
		return fmt.Errorf("%w: it is term %d, and the last entry is of term %d; %s", ErrImplausible, current, term, implausibleWay)
	case ahead(voted, term):
		return fmt.Errorf("%w: a vote in term %d, and the last entry is of term %d; %s", ErrImplausible, voted, term, implausibleWay)
	case s.Incarnation > maxStarts:
		return fmt.Errorf("%w: start %d of a process; %s", ErrImplausible, s.Incarnation, implausibleWay)
	}
	return nil
}

func ahead(term, of uint64) bool { return term > of && term-of > maxTermAhead }

// end returns index and term of the last entry, or of the newest snapshot; 0, 0: there is neither.
func (s *Storage) end() (index, term uint64, err error) {
	list, err := s.Snapshots.List()
	if err != nil {
		return 0, 0, err
	}
	if len(list) > 0 {
		index, term = list[0].Index, list[0].Term
	}
	last, err := s.Logs.LastIndex()
	if err != nil || last <= index {
		return index, term, err
	}
	var l raft.Log
	if err := s.Logs.GetLog(last, &l); err != nil {
		return 0, 0, err
	}
	return last, l.Term, nil
}

func (s *Storage) terms() (current, voted uint64, err error) {
	values := []*uint64{&current, &voted}
	for i, key := range []string{keyTerm, keyVoteTerm} {
		*values[i], err = s.Stable.GetUint64([]byte(key))
		if err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
			return 0, 0, err
		}
	}
	return current, voted, nil
}

// ForgetTerm sets the term to that of the last entry, if it is an impossible one. It is only right for a server
// that has just got a new id and is to be alone: no server has voted under that id, or for it.
func (s *Storage) ForgetTerm() error {
	_, last, err := s.end()
	if err != nil {
		return err
	}
	current, voted, err := s.terms()
	if err != nil || !ahead(current, last) && !ahead(voted, last) {
		return err
	}
	// The vote's term is stored only with its candidate, see votes.go.
	return errors.Join(s.Stable.SetUint64([]byte(keyVoteTerm), last), s.Stable.Set([]byte(keyVoteCandidate), nil),
		s.Stable.SetUint64([]byte(keyTerm), last))
}

// RaiseIncarnation raises the count of starts to at least to.
func (s *Storage) RaiseIncarnation(to uint64) error { return s.Stable.SetUint64(keyIncarnation, to) }
