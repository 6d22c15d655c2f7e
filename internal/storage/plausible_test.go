package storage

import (
	"errors"
	"math"
	"testing"

	"github.com/hashicorp/raft"
)

// A term that cannot be is said, with the way on, and not taken for damage: a recovered directory forgets it, and
// nothing else.
func TestImplausibleTerm(t *testing.T) {
	for name, poison := range map[string]func(s *Storage) error{
		"current": func(s *Storage) error { return s.Stable.SetUint64([]byte(keyTerm), math.MaxUint64) },
		"voted": func(s *Storage) error {
			return errors.Join(s.Stable.SetUint64([]byte(keyVoteTerm), 2+maxTermAhead), s.Stable.Set([]byte(keyVoteCandidate), []byte("n1")))
		},
		"starts": func(s *Storage) error { return s.RaiseIncarnation(math.MaxUint64 - 1) },
	} {
		dir := filled(t)
		change := func(f func(*Storage) error) {
			t.Helper()
			s, err := Open(dir, quiet(), func(err error) { t.Error(err) })
			if err == nil {
				err = errors.Join(f(s), s.Close())
			}
			if err != nil {
				t.Fatal(name, err)
			}
		}
		change((*Storage).Plausible)
		change(poison)
		change(func(s *Storage) error {
			if err := s.Plausible(); !errors.Is(err, ErrImplausible) {
				t.Errorf("%s: %v", name, err)
			}
			return nil
		})
		if name == "starts" {
			continue
		}
		change((*Storage).ForgetTerm)
		change(func(s *Storage) error {
			var l raft.Log
			return errors.Join(s.Plausible(), s.Logs.GetLog(300, &l))
		})
	}
}
