package storage

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// ErrImplausible: a directory is whole, and says what cannot be.
var ErrImplausible = ForPerson("what is stored cannot be")

const (
	// maxTermAhead is how far a term may be above that of the last entry: so many elections in which nobody
	// could write take decades.
	maxTermAhead = 1 << 32
	maxIndex     = 1 << 62
	maxStarts    = 1 << 62
)

// implausibleWay is the way on. A term cannot be taken back while anybody may have voted in it.
const implausibleWay = "nothing was changed; the way on: if other nodes of the cluster run, move the directory away and start again, " +
	"and this node joins anew; if all of them say this, run ciderd recover on the one that has most, and start the others with empty directories"

// Plausible tells whether the directory says what can be: a term, an index or a count of starts that is absurd came
// from a fault or from somebody who is no node, and would become every node's. The error is ErrImplausible.
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

// end is index and term of the last entry, or of the newest snapshot; 0, 0: neither is there.
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

// ForgetTerm makes the term that of the last entry, if it is one that cannot be. It is only right for a server that
// has just got a new id, and is to be alone: nobody has voted as that, or for it.
func (s *Storage) ForgetTerm() error {
	_, last, err := s.end()
	if err != nil {
		return err
	}
	current, voted, err := s.terms()
	if err != nil || !ahead(current, last) && !ahead(voted, last) {
		return err
	}
	// The vote's term is stored with its candidate only, see votes.go.
	return errors.Join(s.Stable.SetUint64([]byte(keyVoteTerm), last), s.Stable.Set([]byte(keyVoteCandidate), nil),
		s.Stable.SetUint64([]byte(keyTerm), last))
}

// RaiseIncarnation makes the count of starts at least to, as if there had been so many.
func (s *Storage) RaiseIncarnation(to uint64) error { return s.Stable.SetUint64(keyIncarnation, to) }
