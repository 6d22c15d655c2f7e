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
	all    []deal
	pairs  bool // deal pairs too
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

// pairsDealt is how many pairs are dealt with each pass over all faults.
const pairsDealt = 4

// inPairs are the acts that make sense while something else is broken: those that wait for nothing
// that a broken cluster cannot do.
var inPairs = []string{"kill-leader", "kill-follower", "kill-two", "kill-all", "restart-storm", "wipe", "garbage", "power-torn"}

// newDeck has the faults that are named, alone or two by two ("loss+kill-leader"); nil: all that so
// many nodes can take, and pairs.
func newDeck(seed uint64, nodes int, only []string) (*deck, error) {
	d := &deck{random: rand.New(rand.NewPCG(seed, 0))}
	byName := map[string]fault{}
	for _, f := range faults() {
		if nodes < f.least {
			continue
		}
		byName[f.name] = f
		if len(only) == 0 {
			d.all = append(d.all, deal{faults: []fault{f}})
		}
	}
	d.pairs = len(only) == 0
	for _, names := range only {
		var one deal
		for name := range strings.SplitSeq(names, "+") {
			f, ok := byName[name]
			if !ok {
				return nil, fmt.Errorf("no fault %q for %d nodes", name, nodes)
			}
			one.faults = append(one.faults, f)
		}
		d.all = append(d.all, one)
	}
	return d, nil
}

func (d *deck) next() deal {
	if len(d.left) == 0 {
		d.left = slices.Clone(d.all)
		if d.pairs {
			d.left = append(d.left, d.drawPairs()...)
		}
		d.random.Shuffle(len(d.left), func(i, j int) { d.left[i], d.left[j] = d.left[j], d.left[i] })
	}
	next := d.left[0]
	d.left = d.left[1:]
	next.seed = d.random.Uint64()
	d.dealt++
	return next
}

func (d *deck) drawPairs() []deal {
	var holds, acts []fault
	for _, one := range d.all {
		switch f := one.faults[0]; {
		case f.hold != nil:
			holds = append(holds, f)
		case slices.Contains(inPairs, f.name):
			acts = append(acts, f)
		}
	}
	var deals []deal
	for range pairsDealt {
		hold, act := holds[d.random.IntN(len(holds))], acts[d.random.IntN(len(acts))]
		deals = append(deals, deal{faults: []fault{hold, act}})
	}
	return deals
}
