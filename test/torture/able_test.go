package torture

import (
	"errors"
	"io"
	"slices"
	"testing"

	"ciderd/test/torture/faults"
	"ciderd/test/torture/rig"
)

// A named fault that the machine cannot make is no mistake of who named it.
func TestChosenFaultsThatAreLeftOut(t *testing.T) {
	left := slices.DeleteFunc(faults.All(), func(f faults.Fault) bool { return f.Name == "loss" })
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
	lacks := map[rig.Need]error{}
	for _, n := range []rig.Need{rig.NeedCut, rig.NeedTrace, rig.NeedDisk, rig.NeedFreeze, rig.NeedForget, rig.NeedWires, rig.NeedClock} {
		lacks[n] = errors.New("not here")
	}
	all := faults.Able(faults.All(), lacks, io.Discard)
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
