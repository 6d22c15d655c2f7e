package faults

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/load"
	"ciderd/test/torture/rig"
)

// A Fault is one way to break a cluster under load. Exactly one of hold and act is set. Either says,
// by strained, what clients of which node may notice from then on.
type Fault struct {
	Name string
	How  string // it is made, in words
	// Hold breaks something that stays broken until the cluster is healed; it gives the longest
	// and the shortest time to leave it so.
	Hold              func(r *Round) error
	Shortest, Longest time.Duration
	// Act breaks something and waits, where that can be, until the cluster has coped.
	Act func(r *Round) error
	// Least is the number of nodes that it takes.
	Least int
	// Single: it cannot be taken back while something else is broken, so nothing else may be.
	Single bool
}

// All is everything that can be done, most telling first.
func All() []Fault {
	return slices.Concat(processFaults(), memberFaults(), clockFaults(), linkFaults(), diskFaults(), tornFaults())
}

// A Round is one fault, or two at once, and the load around it.
type Round struct {
	Ctx      context.Context
	Cluster  *rig.Cluster
	Load     *load.Load
	Random   *rand.Rand // of this round: the same for the same seed, whatever came before
	Combined bool       // another fault is at work: nothing can be expected until all is healed
	Brief    bool       // see Options
	Past     []PastUser // of rounds before
	BigUser  string     // stores what fills logs and disks
	Say      func(format string, args ...any)
}

// Between draws a duration, short ones as likely as long ones by orders of magnitude.
func (r *Round) Between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return time.Duration(float64(low) * math.Pow(float64(high)/float64(low), r.Random.Float64()))
}

// Pass lets time go by under a fault; it is never a sign that anything has happened.
func (r *Round) Pass(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-r.Ctx.Done():
		return context.Cause(r.Ctx)
	}
}

// flows waits until the clients of the given nodes (none: of all) get on.
func (r *Round) flows(nodes ...*rig.Node) error {
	if r.Combined {
		return r.Pass(time.Second)
	}
	return r.Load.Progress(r.Ctx, 10, rig.HealLimit, nodes...)
}

// back starts nodes again and waits until they are full members.
func (r *Round) back(nodes ...*rig.Node) error {
	for _, n := range nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	if r.Combined {
		return r.Pass(time.Second)
	}
	return r.Cluster.WaitServing(nodes...)
}

// upAgain starts a node that ends by itself of what was done to it, which may be a moment after that
// is over.
func (r *Round) upAgain(n *rig.Node) error {
	if err := r.Pass(2 * time.Second); err != nil {
		return err
	}
	return r.back(n)
}

// down is said of nodes that stop working: without a majority the others are alone.
func (r *Round) down(nodes ...*rig.Node) {
	rig.Strained(judge.Departed, nodes...)
	if 2*len(nodes) >= len(r.Cluster.Nodes) {
		rig.Strained(judge.Alone, r.Cluster.Others(nodes...)...)
	}
}

// any draws a node.
func (r *Round) any() *rig.Node { return r.Cluster.Nodes[r.Random.IntN(len(r.Cluster.Nodes))] }

// target draws the leader or a follower, as likely the one as the other. Which node that is
// depends on the cluster; which of the two, on the seed.
func (r *Round) target() (*rig.Node, error) {
	leads, other := r.Random.IntN(2) == 0, r.Random.IntN(len(r.Cluster.Nodes)-1)
	leader, err := r.someLeader()
	if err != nil || leads {
		return leader, err
	}
	return r.Cluster.Others(leader)[other], nil
}

// someLeader gives the leader, or any node where none can be expected.
func (r *Round) someLeader() (*rig.Node, error) {
	if !r.Combined {
		return r.Cluster.Leader()
	}
	if leader, err := r.Cluster.FindLeader(); err == nil {
		return leader, nil
	}
	return r.any(), nil
}

func (r *Round) follower() (*rig.Node, error) {
	i := r.Random.IntN(len(r.Cluster.Nodes) - 1)
	leader, err := r.someLeader()
	if err != nil {
		return nil, err
	}
	return r.Cluster.Others(leader)[i], nil
}

// reads wants a node to serve a new client's read by itself, whatever it is cut off from.
func (r *Round) reads(n *rig.Node) error {
	if r.Combined {
		return nil
	}
	c, err := n.Dial(r.Load.User)
	if err == nil {
		defer func() { _ = c.Close() }()
		_, err = c.Do("GET " + judge.SharedCounter)
	}
	if err != nil {
		return judge.Violationf("%s does not serve a read: %v", n.Name, err)
	}
	return nil
}

// bigValue is what fills logs and disks: its size in bytes.
const bigValue = 256 << 10

// bigWrites sets count large values through a node, over 200 keys.
func (r *Round) bigWrites(n *rig.Node, count int, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 0)) // its own: the round's may be in use beside it
	c, err := n.Dial(r.BigUser)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	text := make([]byte, bigValue)
	for i := range count {
		if r.Ctx.Err() != nil {
			return context.Cause(r.Ctx)
		}
		for j := range text {
			text[j] = 'a' + byte(random.Uint32N(26))
		}
		_, err := c.Do(fmt.Sprintf("SET big:%d %s", i%200, text))
		if err != nil {
			return fmt.Errorf("large write %d of %d on %s: %w", i, count, n.Name, err)
		}
	}
	return nil
}

// tolerated turns an error of one of the harness's own connections into a violation, unless the
// node's state explains it.
func tolerated(n *rig.Node, err error) error {
	if err == nil || judge.Strain(n.Level.Load()).Allows(err) {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return judge.Violationf("%v", err)
}
