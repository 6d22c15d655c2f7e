package torture

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// What a machine cannot do is left out, loudly, and nothing else is.
func TestAble(t *testing.T) {
	var out strings.Builder
	left := able(faults(), map[need]error{needTrace: errors.New("ptrace is off")}, &out)
	for _, f := range faults() {
		takes := slices.Contains(needs[f.name], needTrace)
		if takes == slices.ContainsFunc(left, func(g fault) bool { return g.name == f.name }) {
			t.Errorf("%s takes strace: %v; it is left in: %v", f.name, takes, !takes)
		}
		if takes != strings.Contains(out.String(), "!!!! LEFT OUT: "+f.name+" ") {
			t.Errorf("%s takes strace: %v; said:\n%s", f.name, takes, out.String())
		}
	}
	if !strings.Contains(out.String(), "ptrace is off") {
		t.Errorf("no word of why:\n%s", out.String())
	}
	if all := able(faults(), nil, io.Discard); len(all) != len(faults()) {
		t.Errorf("%d of %d faults on a machine that lacks nothing", len(all), len(faults()))
	}
}

// A named fault that the machine cannot make is no mistake of who named it.
func TestChosenFaultsThatAreLeftOut(t *testing.T) {
	left := slices.DeleteFunc(faults(), func(f fault) bool { return f.name == "loss" })
	d, err := newDeck(left, 1, 3, []string{"loss", "loss+wipe", "wipe"})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if name := d.next().name(); name != "wipe" {
			t.Errorf("dealt %s", name)
		}
	}
	if _, err := newDeck(left, 1, 3, []string{"loss"}); !errors.Is(err, ErrNothing) {
		t.Errorf("a run of nothing: %v", err)
	}
}

// With the fewest that a machine can do there are still combinations.
func TestCombinationsOfWhatIsLeft(t *testing.T) {
	lacks := map[need]error{}
	for _, n := range []need{needCut, needTrace, needDisk, needFreeze, needForget, needWires, needClock} {
		lacks[n] = errors.New("not here")
	}
	all := able(faults(), lacks, io.Discard)
	d, err := newDeck(all, 1, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	several := 0
	for i := range len(all) + pairsDealt {
		one := d.next()
		if (len(one.faults) > 1) != (i >= len(all)) {
			t.Errorf("%s is dealt at %d of %d", one.name(), i, len(all))
		}
		if len(one.faults) > 1 {
			several++
		}
	}
	if several != pairsDealt {
		t.Errorf("%d combinations", several)
	}
}

// The clock of a binary that was built without the tag cannot be moved: this test's is one.
func TestClockNeedsTheTag(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if tryClock(self) == nil {
		t.Error("a binary without the tag passes")
	}
}
