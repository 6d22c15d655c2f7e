package torture

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// deck deals faults in an order that depends on the seed alone: all once, in random order, then
// all again.
type deck struct {
	random *rand.Rand
	all    []fault
	left   []deal
	dealt  int
}

// A deal is what one round does: a fault, or two at once.
type deal struct {
	faults []fault
	seed   uint64 // of the round's own random numbers
}

func (d deal) name() string {
	names := make([]string, len(d.faults))
	for i, f := range d.faults {
		names[i] = f.name
	}
	return strings.Join(names, "+")
}

// pairs is how many pairs are dealt with each pass over all faults.
const pairs = 4

// inPairs are the acts that make sense while something else is broken: those that wait for nothing
// that a broken cluster cannot do.
var inPairs = []string{"kill-leader", "kill-follower", "kill-two", "kill-all", "restart-storm", "wipe", "garbage"}

// newDeck has the faults that are named (nil: all) and that so many nodes can take.
func newDeck(seed uint64, nodes int, only []string) (*deck, error) {
	d := &deck{random: rand.New(rand.NewPCG(seed, 0))}
	known := map[string]bool{}
	for _, f := range faults() {
		known[f.name] = true
		if nodes >= f.least && (len(only) == 0 || slices.Contains(only, f.name)) {
			d.all = append(d.all, f)
		}
	}
	for _, name := range only {
		if !known[name] {
			return nil, fmt.Errorf("no fault %q", name)
		}
	}
	if len(d.all) == 0 {
		return nil, fmt.Errorf("no fault of these for %d nodes", nodes)
	}
	return d, nil
}

func (d *deck) next() deal {
	if len(d.left) == 0 {
		for _, f := range d.all {
			d.left = append(d.left, deal{faults: []fault{f}})
		}
		d.left = append(d.left, d.pairs()...)
		d.random.Shuffle(len(d.left), func(i, j int) { d.left[i], d.left[j] = d.left[j], d.left[i] })
	}
	next := d.left[0]
	d.left = d.left[1:]
	next.seed = d.random.Uint64()
	d.dealt++
	return next
}

func (d *deck) pairs() []deal {
	var holds, acts []fault
	for _, f := range d.all {
		switch {
		case f.hold != nil:
			holds = append(holds, f)
		case slices.Contains(inPairs, f.name):
			acts = append(acts, f)
		}
	}
	if len(holds) == 0 || len(acts) == 0 {
		return nil
	}
	var deals []deal
	for range pairs {
		hold, act := holds[d.random.IntN(len(holds))], acts[d.random.IntN(len(acts))]
		deals = append(deals, deal{faults: []fault{hold, act}})
	}
	return deals
}
