package torture

import (
	"slices"
	"testing"

	"ciderd/test/torture/faults"
)

func names(t *testing.T, seed uint64, nodes, count int, only ...string) []string {
	t.Helper()
	d, err := newDeck(faults.All(), seed, nodes, only)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for range count {
		got = append(got, d.next().name())
	}
	return got
}

func TestScheduleIsItsSeeds(t *testing.T) {
	if a, b := names(t, 7, 3, 100), names(t, 7, 3, 100); !slices.Equal(a, b) {
		t.Error("two schedules of one seed differ")
	}
	if a, b := names(t, 7, 3, 100), names(t, 8, 3, 100); slices.Equal(a, b) {
		t.Error("two seeds have one schedule")
	}
}

// TestEveryFaultComes: one pass over the deck has each of them.
func TestEveryFaultComes(t *testing.T) {
	got := names(t, 1, 5, len(faults.All())+pairsDealt)
	for _, f := range faults.All() {
		if !slices.Contains(got, f.Name) {
			t.Errorf("no %s in %v", f.Name, got)
		}
	}
	for _, name := range []string{"partition-ring", "partition-halves"} {
		if slices.Contains(names(t, 1, 3, 100), name) {
			t.Errorf("%s of three", name)
		}
	}
}

func TestChosenFaults(t *testing.T) {
	for _, name := range names(t, 1, 3, 10, "kill-all", "loss+wipe") {
		if name != "kill-all" && name != "loss+wipe" {
			t.Errorf("dealt %s", name)
		}
	}
	if _, err := newDeck(faults.All(), 1, 3, []string{"kill-al"}); err == nil {
		t.Error("a fault that does not exist is taken")
	}
	if _, err := newDeck(faults.All(), 1, 3, []string{"loss+member-new"}); err == nil {
		t.Error("what cannot be taken back under another fault is taken together with one")
	}
}

func TestFaultsAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range faults.All() {
		if seen[f.Name] || f.How == "" || (f.Hold == nil) == (f.Act == nil) || f.Hold != nil && f.Longest < f.Shortest {
			t.Errorf("%+v", f)
		}
		if f.Single && (f.Hold != nil || slices.Contains(inPairs, f.Name)) {
			t.Errorf("%s goes with no other fault, and is dealt together with some", f.Name)
		}
		seen[f.Name] = true
	}
}

// TestLimitsAreDealt: about a third of the rounds have a limit, some of them reject, and none does whose fault writes.
func TestLimitsAreDealt(t *testing.T) {
	d, err := newDeck(faults.All(), 1, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 600
	limited, rejects := 0, 0
	for range rounds {
		next := d.next()
		if next.limits.MaxMemory > 0 {
			limited++
		}
		if !next.limits.Reject {
			continue
		}
		rejects++
		for _, f := range next.faults {
			if slices.Contains(writeThemselves, f.Name) {
				t.Errorf("%s at a limit that refuses", next.name())
			}
		}
	}
	if limited < rounds/4 || limited > rounds/2 || rejects < rounds/30 || rejects > limited/2 {
		t.Errorf("%d of %d rounds at a limit, %d of them refuse", limited, rounds, rejects)
	}
	for _, name := range writeThemselves {
		if !slices.ContainsFunc(faults.All(), func(f faults.Fault) bool { return f.Name == name }) {
			t.Errorf("no fault is called %s", name)
		}
	}
}
