package cluster

import (
	"testing"
	"testing/synctest"
	"time"
)

// What a leader makes of the answers that it gets: fulls say that they are full, roomy that they are not; the
// rest of the voters is silent.
func TestEnoughRoom(t *testing.T) {
	const now, late = true, false // whether it is decided at once; else after silentFor
	for _, c := range []struct {
		voters, full, roomy int
		pressing            bool
		enough, decided     bool
	}{
		{1, 0, 1, false, true, now},
		{1, 1, 0, false, false, now},
		{2, 1, 1, false, false, now},
		{3, 0, 3, false, true, now},
		{3, 1, 2, true, true, now},
		{3, 2, 1, false, false, now},
		{3, 1, 1, false, false, late}, // one is gone, and all commits need the full one
		{3, 0, 2, true, true, now},
		{3, 0, 1, false, true, now}, // nobody who answers is full: it is for Raft to find that there is no majority
		{3, 1, 0, false, true, now}, // nothing can be committed anyway
		{4, 1, 2, false, false, late},
		{5, 2, 3, true, true, now},
		{5, 2, 2, false, false, late},
		{5, 1, 2, false, false, late},
		{5, 3, 2, false, false, now},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &space{}
			v := &survey{voters: c.voters, full: c.full, roomy: c.roomy, pressing: c.pressing}
			first := s.enough(v)
			time.Sleep(spacePoll)
			soon := s.enough(v)
			time.Sleep(silentFor)
			if last := s.enough(v); last != c.enough || first != (c.enough || c.decided == late) || soon != first {
				t.Errorf("%+v: at first %v, soon %v, in the end %v", c, first, soon, last)
			}
		})
	}
}

// One answer that comes late closes nothing, however pressing it is; two do; and who answers again counts again.
func TestPressing(t *testing.T) {
	s := &space{}
	all := &survey{voters: 3, full: 1, roomy: 2, pressing: true}
	silent := &survey{voters: 3, full: 1, roomy: 1, pressing: true}
	for i, step := range []struct {
		survey *survey
		enough bool
	}{{all, true}, {silent, true}, {all, true}, {silent, true}, {silent, false}, {all, true}, {silent, true}} {
		if got := s.enough(step.survey); got != step.enough {
			t.Errorf("survey %d: %v", i, got)
		}
	}
}
