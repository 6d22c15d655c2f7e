package torture

import (
	"testing"

	"ciderd/test/torture/faults"
)

func TestEveryFaultSaysWhatHolds(t *testing.T) {
	known := map[string]bool{}
	for _, f := range faults.All() {
		known[f.Name] = true
		if _, ok := faults.Holds[f.Name]; !ok {
			t.Errorf("holds does not have %s", f.Name)
		}
	}
	for name := range faults.Holds {
		if !known[name] {
			t.Errorf("holds has %s, which is no fault", name)
		}
	}
	for name := range faults.Needs {
		if !known[name] {
			t.Errorf("needs has %s, which is no fault", name)
		}
	}
	for _, name := range inPairs {
		if !known[name] {
			t.Errorf("inPairs has %s, which is no fault", name)
		}
	}
}
