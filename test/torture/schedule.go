package torture

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"ciderd/test/torture/faults"
	"ciderd/test/torture/rig"
)

// deck deals faults in an order that depends on the seed alone: all once, in random order, then
// some at once, then all again.
type deck struct {
	random *rand.Rand
	all    []deal
	pairs  bool // deal combinations too
	brief  bool // see Options
	left   []deal
	dealt  int
}

// A deal is what one round does: a fault, or some at once.
type deal struct {
	faults []faults.Fault
	seed   uint64 // of the round's own random numbers
	brief  bool
	limits rig.Limits // on memory, while the round lasts
	// encrypted: the nodes speak TLS to each other.
	encrypted bool
}

func (d deal) name() string {
	names := make([]string, len(d.faults))
	for i, f := range d.faults {
		names[i] = f.Name
	}
	return strings.Join(names, "+")
}

// pairsDealt is how many combinations are dealt behind each pass over all faults; one in four is of
// three faults, the others are pairs.
const pairsDealt = 4

// inPairs are the acts that make sense while something else is broken: those that wait for nothing
// that a broken cluster cannot do.
var inPairs = []string{
	"kill-leader", "kill-follower", "kill-two", "kill-all", "restart-storm", "wipe", "garbage",
	"transfer-storm", "clock-jump", "clock-kill-all", "power-torn", "member-replace", "member-dead",
}

// briefest is the longest that something stays broken in a brief run.
const briefest = 4 * time.Second

// One round in three runs at a limit, and a quarter of those with nothing evicted, if its fault writes nothing itself.
const limitedMemory = 16 << 20

var writeThemselves = []string{"disk-full", "disk-full-all", "power-torn", "snapshot-install", "snapshot-live", "replay-install", "member-new"}

func (d *deal) drawLimits() {
	switch d.seed % 12 {
	case 0, 1, 2:
		d.limits.MaxMemory = limitedMemory
	case 3:
		d.limits.MaxMemory = limitedMemory
		d.limits.Reject = !slices.ContainsFunc(d.faults, func(f faults.Fault) bool { return slices.Contains(writeThemselves, f.Name) })
	}
}

// ErrNothing: this machine can make none of the faults that were asked for.
var ErrNothing = errors.New("no fault is left that this machine can make")

// newDeck has of all the faults those that are named, alone or some at once ("loss+kill-leader"); nil:
// all that so many nodes can take, and combinations. A named one that is not among them is an error
// if there is none of that name at all, and left out if this machine cannot do it.
func newDeck(all []faults.Fault, seed uint64, nodes int, only []string) (*deck, error) {
	d := &deck{random: rand.New(rand.NewPCG(seed, 0)), pairs: len(only) == 0}
	byName := map[string]faults.Fault{}
	for _, f := range all {
		if nodes < f.Least {
			continue
		}
		byName[f.Name] = f
		if len(only) == 0 {
			d.all = append(d.all, deal{faults: []faults.Fault{f}})
		}
	}
	for _, names := range only {
		one, err := named(byName, names, nodes)
		if err != nil {
			return nil, err
		}
		if len(one.faults) > 0 {
			d.all = append(d.all, one)
		}
	}
	if len(d.all) == 0 {
		return nil, ErrNothing
	}
	return d, nil
}

// named is the deal of "a+b"; none, if one of them cannot be made here.
func named(byName map[string]faults.Fault, names string, nodes int) (one deal, err error) {
	for name := range strings.SplitSeq(names, "+") {
		f, ok := byName[name]
		i := slices.IndexFunc(faults.All(), func(f faults.Fault) bool { return f.Name == name })
		if i < 0 || faults.All()[i].Least > nodes {
			return deal{}, fmt.Errorf("no fault %q for %d nodes", name, nodes)
		}
		if faults.All()[i].Single && name != names {
			return deal{}, fmt.Errorf("%s goes with no other fault", name)
		}
		if !ok {
			return deal{}, nil
		}
		one.faults = append(one.faults, f)
	}
	return one, nil
}

func (d *deck) next() deal {
	if len(d.left) == 0 {
		d.left = d.shuffled(d.all)
		if d.pairs {
			d.left = append(d.left, d.shuffled(d.drawPairs())...)
		}
	}
	next := d.left[0]
	d.left = d.left[1:]
	next.seed = d.random.Uint64()
	next.brief = d.brief
	next.drawLimits()
	next.encrypted = next.seed/12%2 == 0
	d.dealt++
	return next
}

func (d *deck) shuffled(deals []deal) []deal {
	deals = slices.Clone(deals)
	d.random.Shuffle(len(deals), func(i, j int) { deals[i], deals[j] = deals[j], deals[i] })
	return deals
}

func (d *deck) drawPairs() []deal {
	var links, holds, acts []faults.Fault
	for _, one := range d.all {
		switch f := one.faults[0]; {
		case f.Hold != nil && slices.Contains(faults.Needs[f.Name], rig.NeedCut):
			links = append(links, f)
		case f.Hold != nil:
			holds = append(holds, f)
		case slices.Contains(inPairs, f.Name):
			acts = append(acts, f)
		}
	}
	draw := func(of []faults.Fault) faults.Fault { return of[d.random.IntN(len(of))] }
	var deals []deal
	for i := range pairsDealt {
		switch {
		case i == 0 && len(links) > 0:
			deals = append(deals, deal{faults: []faults.Fault{draw(links), draw(holds), draw(acts)}})
		default:
			deals = append(deals, deal{faults: []faults.Fault{draw(slices.Concat(links, holds)), draw(acts)}})
		}
	}
	return deals
}
