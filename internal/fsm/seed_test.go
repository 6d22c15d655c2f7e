package fsm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

var someSeed = Seed{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// A position is the same in every release: iterations go on over restarts and upgrades. The values are from the vectors
// of SipHash's authors.
func TestPositionsAreThoseOfSipHash(t *testing.T) {
	key := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	for n, hash := range map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 15: 0xa129ca6149be45e5} {
		if got := someSeed.Position(key[:n]); got != hash>>11 || got >= Positions {
			t.Errorf("%d bytes have the position %x, want %x", n, got, hash>>11)
		}
	}
}

func TestFirstSeedStays(t *testing.T) {
	n := withUser(t)
	if n.Seed() != nil {
		t.Error("there is a seed before one was set")
	}
	before := n.state.Load().hash()
	n.one(1, SetSeed(someSeed), Result{Kind: KindOK})
	if got := n.state.Load().hash(); got == before {
		t.Error("the state's hash does not cover the seed")
	}
	n.one(1, SetSeed(Seed{1}), Result{Kind: KindExists})
	c := n.copied()
	c.one(1, SetSeed(Seed{2}), Result{Kind: KindExists})
	if n.Seed() == nil || *n.Seed() != someSeed || *c.Seed() != someSeed {
		t.Error("another seed took the place of the first one")
	}
}

// Releases that do not know the seed read the snapshots as long as there is none.
func TestSnapshotsWithASeedHaveTheirOwnFormat(t *testing.T) {
	n := withUser(t)
	n.one(1, Command{Op: OpGetDelete, User: 1, Key: []byte("k")}, Result{Kind: KindNil})
	if s := persist(t, n.snapshot()); s[len(snapshotMagic)] != snapshotLimits {
		t.Errorf("format %d without a seed", s[len(snapshotMagic)])
	}
	n.one(1, SetSeed(someSeed), Result{Kind: KindOK})
	s := persist(t, n.snapshot())
	if s[len(snapshotMagic)] != snapshotSeed {
		t.Errorf("format %d with a seed", s[len(snapshotMagic)])
	}
	sameDump(t, "the copy", n.copied().FSM, n.FSM)
	good := records(t, s)
	if at := strings.Index(string(good), "K"+string(someSeed[:])); at < 0 {
		t.Error("the seed is not in the snapshot")
	} else {
		damaged(t, n, sealed(slices.Concat(good[:at], good[at+1+seedSize:])), "without its seed")
		damaged(t, n, sealed(slices.Insert(slices.Clone(good), at, good[at:at+1+seedSize]...)), "two seeds")
	}
	damaged(t, n, sealed([]byte{tagSeed, 1, 2}), "half a seed")
}

func TestSeedIsNeverPrinted(t *testing.T) {
	n := withUser(t)
	n.one(1, SetSeed(someSeed), Result{Kind: KindOK})
	printed := n.Dump() + fmt.Sprintf("%v %s %x %d %q %+v %#v", someSeed, someSeed, someSeed, someSeed, someSeed, struct{ Seed }{someSeed}, n.Seed())
	for _, hidden := range []string{"000102", "0 1 2", "0x0, 0x1", string(someSeed[:4])} {
		if strings.Contains(printed, hidden) {
			t.Errorf("printed: %q", printed)
		}
	}
	if !strings.Contains(printed, "(a seed)") || !strings.Contains(printed, "\nseed ") {
		t.Errorf("it is not said that there is one: %q", printed)
	}
}
