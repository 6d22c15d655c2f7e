package diskspace

import (
	"testing"
	"testing/synctest"
	"time"
)

// What a leader makes of the answers that it gets: fulls say that they are full, spacious that they are not; the
// rest of the voters is silent.
func TestEnoughSpace(t *testing.T) {
	const now, late = true, false // whether it is decided at once; else after silentFor
	for _, c := range []struct {
		voters, full, spacious int
		urgent                 bool
		enough, decided        bool
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
			s := &Space{}
			v := &disks{voters: c.voters, full: c.full, spacious: c.spacious, urgent: c.urgent}
			first := s.enough(v)
			time.Sleep(poll)
			soon := s.enough(v)
			time.Sleep(silentFor)
			if last := s.enough(v); last != c.enough || first != (c.enough || c.decided == late) || soon != first {
				t.Errorf("%+v: at first %v, soon %v, in the end %v", c, first, soon, last)
			}
		})
	}
}

// One answer that comes late closes nothing, however urgent it is; two do; and who answers again counts again.
func TestUrgent(t *testing.T) {
	s := &Space{}
	all := &disks{voters: 3, full: 1, spacious: 2, urgent: true}
	silent := &disks{voters: 3, full: 1, spacious: 1, urgent: true}
	for i, step := range []struct {
		disks  *disks
		enough bool
	}{{all, true}, {silent, true}, {all, true}, {silent, true}, {silent, false}, {all, true}, {silent, true}} {
		if got := s.enough(step.disks); got != step.enough {
			t.Errorf("disks %d: %v", i, got)
		}
	}
}
