package torture

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// A fault is one way to break a cluster under load. Exactly one of hold and act is set. Either says,
// by strained, what clients of which node may notice from then on.
type fault struct {
	name string
	how  string // it is made, in words
	// hold breaks something that stays broken until the cluster is healed; it gives the longest
	// and the shortest time to leave it so.
	hold              func(r *round) error
	shortest, longest time.Duration
	// act breaks something and waits, where that can be, until the cluster has coped.
	act func(r *round) error
	// least is the number of nodes that it takes.
	least int
	// single: it cannot be taken back while something else is broken, so nothing else may be.
	single bool
}

// faults is everything that can be done, most telling first.
func faults() []fault {
	return slices.Concat(processFaults(), memberFaults(), clockFaults(), linkFaults(), diskFaults(), tornFaults())
}

// A round is one fault, or two at once, and the load around it.
type round struct {
	ctx      context.Context
	cluster  *cluster
	load     *load
	random   *rand.Rand // of this round: the same for the same seed, whatever came before
	combined bool       // another fault is at work: nothing can be expected until all is healed
	brief    bool       // see Options
	past     []pastUser // of rounds before
	say      func(format string, args ...any)
}

// between draws a duration, short ones as likely as long ones by orders of magnitude.
func (r *round) between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return time.Duration(float64(low) * math.Pow(float64(high)/float64(low), r.random.Float64()))
}

// pass lets time go by under a fault; it is never a sign that anything has happened.
func (r *round) pass(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

// flows waits until the clients of the given nodes (none: of all) get on.
func (r *round) flows(nodes ...*node) error {
	if r.combined {
		return r.pass(time.Second)
	}
	return r.load.progress(r.ctx, 10, healLimit, nodes...)
}

// back starts nodes again and waits until they are full members.
func (r *round) back(nodes ...*node) error {
	for _, n := range nodes {
		if err := n.start(); err != nil {
			return err
		}
	}
	if r.combined {
		return r.pass(time.Second)
	}
	return r.cluster.waitServing(nodes...)
}

// upAgain starts a node that ends by itself of what was done to it, which may be a moment after that
// is over.
func (r *round) upAgain(n *node) error {
	if err := r.pass(2 * time.Second); err != nil {
		return err
	}
	return r.back(n)
}

// down is said of nodes that stop working: without a majority the others are alone.
func (r *round) down(nodes ...*node) {
	strained(departed, nodes...)
	if 2*len(nodes) >= len(r.cluster.nodes) {
		strained(alone, r.cluster.others(nodes...)...)
	}
}

// any draws a node.
func (r *round) any() *node { return r.cluster.nodes[r.random.IntN(len(r.cluster.nodes))] }

// target draws the leader or a follower, as likely the one as the other. Which node that is
// depends on the cluster; which of the two, on the seed.
func (r *round) target() (*node, error) {
	leads, other := r.random.IntN(2) == 0, r.random.IntN(len(r.cluster.nodes)-1)
	leader, err := r.someLeader()
	if err != nil || leads {
		return leader, err
	}
	return r.cluster.others(leader)[other], nil
}

// someLeader gives the leader, or any node where none can be expected.
func (r *round) someLeader() (*node, error) {
	if !r.combined {
		return r.cluster.leader()
	}
	if leader, err := r.cluster.findLeader(); err == nil {
		return leader, nil
	}
	return r.any(), nil
}

func (r *round) follower() (*node, error) {
	i := r.random.IntN(len(r.cluster.nodes) - 1)
	leader, err := r.someLeader()
	if err != nil {
		return nil, err
	}
	return r.cluster.others(leader)[i], nil
}

// reads wants a node to serve a new client's read by itself, whatever it is cut off from.
func (r *round) reads(n *node) error {
	if r.combined {
		return nil
	}
	c, err := n.dial(r.load.user)
	if err == nil {
		defer func() { _ = c.Close() }()
		_, err = c.do("GET " + sharedCounter)
	}
	if err != nil {
		return violationf("%s does not serve a read: %v", n.name, err)
	}
	return nil
}

// bigValue is what fills logs and disks: its size in bytes.
const bigValue = 256 << 10

// bigWrites sets count large values through a node, over 200 keys.
func (r *round) bigWrites(n *node, count int, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 0)) // its own: the round's may be in use beside it
	c, err := n.dial(r.load.user)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	text := make([]byte, bigValue)
	for i := range count {
		if r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		for j := range text {
			text[j] = 'a' + byte(random.Uint32N(26))
		}
		_, err := c.do(fmt.Sprintf("SET big:%d %s", i%200, text))
		if err != nil {
			return fmt.Errorf("large write %d of %d on %s: %w", i, count, n.name, err)
		}
	}
	return nil
}

// tolerated turns an error of one of the harness's own connections into a violation, unless the
// node's state explains it.
func tolerated(n *node, err error) error {
	if err == nil || strain(n.level.Load()).allows(err) {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return violationf("%v", err)
}
