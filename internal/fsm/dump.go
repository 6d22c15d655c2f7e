package fsm

import (
	"fmt"
	"io"
	"slices"

	"ciderd/internal/cache"
)

func dumpState(w io.Writer, s *state, snap *snapshot) {
	fmt.Fprintf(w, "index %d time %d last user %d closed %v entries %d hash %x\n",
		s.index, s.time, s.users.last, s.closed, s.entries, s.hash())
	if l := s.ledger.freeze(); l != (frozenLimits{}) {
		fmt.Fprintf(w, "limits %+v memory %d fixed %d reserves %d own quotas %d\n",
			l, s.memory(), s.ledger.fixed.Load(), s.ledger.reserves.Load(), s.ledger.owners.Load())
	}
	if seed := s.seed.Load(); seed != nil {
		fmt.Fprintf(w, "seed %x\n", seed.hash())
	}
	if last := s.backup.Load(); last != nil {
		fmt.Fprintf(w, "backup %+v\n", *last)
	}
	ids := make([]string, 0, len(s.origins))
	for id := range s.origins {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		fmt.Fprintf(w, "origin %s %d %d\n", id, s.origins[id].incarnation, s.origins[id].sequence)
	}
	byID := map[uint64]frozenUser{}
	for _, u := range snap.users {
		byID[u.ID] = u
	}
	snap.store.Each(func(id, version uint64, view *cache.View) bool {
		u := byID[id]
		fmt.Fprintf(w, "user %d %s %x epoch %d version %d\n", id, u.Name, u.Hash, u.Epoch, version)
		if u.Locked {
			fmt.Fprintln(w, "  locked")
		}
		if u.Restoring {
			fmt.Fprintln(w, "  being restored")
		}
		if u.share != (frozenShare{}) {
			fmt.Fprintf(w, "  share %+v\n", u.share)
		}
		for _, r := range u.once {
			fmt.Fprintf(w, "  once %q %d %v %v\n", r.id, r.at, r.result.Kind, r.result.N)
		}
		dumpItems(w, view)
		return true
	})
}

func dumpItems(w io.Writer, view *cache.View) {
	var lines []string
	view.Range(func(key, value []byte, version uint64, deadline int64) bool {
		lines = append(lines, fmt.Sprintf("  item %q %q %d %d\n", key, value, version, deadline))
		return true
	})
	slices.Sort(lines)
	for _, line := range lines {
		io.WriteString(w, line)
	}
}
