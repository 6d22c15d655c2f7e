package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// forming is the first start of a cluster, as seen by one node with an empty directory.
//
// A node bootstraps only when every node of the file has answered that it is empty, has the same
// file, sees the same servers, and remembers the same recovery if any. So all that bootstrap do it with one identical configuration,
// and an empty disk that finds a cluster with state never does: it would be a second cluster, or a
// vote without a memory. (A wiped disk has a new id, which no configuration knows.) It asks to be
// admitted instead.
type forming struct {
	mu   sync.Mutex // seen
	seen map[string]string
}

func (f *forming) view() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.seen)
}

func (f *forming) set(view map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = view
}

// formPoll is how often a node that cannot start yet asks the others again.
const formPoll = 100 * time.Millisecond

// form runs until this node is part of a cluster.
func (n *Node) form(ctx context.Context) {
	for !n.hasState() {
		waiting, err := n.tryForm(ctx)
		if err == nil && waiting == "" {
			break
		}
		if err != nil {
			waiting = err.Error()
		}
		n.setWaiting(waiting)
		select {
		case <-time.After(formPoll):
		case <-ctx.Done():
			return
		}
	}
	n.setWaiting("")
}

// tryForm returns what is waited for; empty: bootstrapped.
func (n *Node) tryForm(ctx context.Context) (waiting string, err error) {
	others := n.members.Others(n.self.Node)
	states, missing := n.askStates(ctx, others)
	view := map[string]string{n.self.Node: n.self.ServerID}
	var stateful, different, older []string
	if err := n.adoptRecovery(states); err != nil {
		return "", err
	}
	for name, s := range states {
		switch {
		case s.Known && s.Recovered < n.recovered():
			older = append(older, name) // what its cluster was before it was recovered
		case s.Known && s.View[n.self.Node] == n.self.ServerID:
			return "first start: " + name + " has formed the cluster with this node; waiting for its leader", nil
		case s.Known:
			stateful = append(stateful, name)
		case !sameNames(s.Nodes, n.members.Names()):
			different = append(different, name)
			n.peers.set(PeerStatus{Name: name, Reason: "has another list of nodes: " + strings.Join(s.Nodes, ", ")})
		default:
			view[name] = s.ServerID
		}
	}
	n.forming.set(view)
	switch {
	case len(stateful) > 0:
		slices.Sort(stateful)
		waiting = n.askToJoin(ctx, stateful)
		if len(missing) > 0 {
			waiting += "; " + n.peers.why(missing)
		}
		return waiting, nil
	case len(older) > 0:
		slices.Sort(older)
		return fmt.Sprintf("first start: the data on %s is of before the recovery at %s that this node's directory remembers; one or the other must be removed",
			strings.Join(older, ", "), momentOf(n.recovered())), nil
	case len(different) > 0:
		slices.Sort(different)
		return fmt.Sprintf("first start: the files differ: %s; this one has %s",
			n.peers.why(different), strings.Join(n.members.Names(), ", ")), nil
	case len(missing) > 0:
		return "first start: waiting for " + n.peers.why(missing), nil
	}
	agreed, err := n.agreeOnRecovery(states)
	if err != nil {
		return "", err
	}
	if !agreed {
		return "first start: waiting for the others to remember the same recovery", nil
	}
	for name, s := range states {
		if !maps.Equal(s.View, view) {
			return "first start: waiting for " + name + " to see the same nodes", nil
		}
	}
	return "", n.bootstrap(view)
}

// sameNames tells whether two lists have the same nodes, in whatever order.
func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// askStates asks all others at once, and notes what they say and why those who do not answer do not.
func (n *Node) askStates(ctx context.Context, others peer.Members) (states map[string]*stateAnswer, missing []string) {
	asking, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	type reply struct {
		name  string
		state *stateAnswer
		err   error
	}
	lastIndex, replies := n.raft.LastIndex(), make(chan reply, len(others))
	for _, m := range others {
		go func() {
			a, err := n.ask(asking, m.Name, question{State: &stateQuestion{}})
			if err == nil && a.State == nil {
				err = fmt.Errorf("it cannot say how it is: %s", a.Error)
			}
			replies <- reply{m.Name, a.State, err}
		}()
	}
	states = map[string]*stateAnswer{}
	errs := map[string]error{}
	for range others {
		r := <-replies
		if r.err != nil {
			n.log.Debug("no answer", "node", r.name, "error", r.err)
			errs[r.name], missing = r.err, append(missing, r.name)
		} else {
			states[r.name] = r.state
		}
	}
	if ctx.Err() == nil {
		n.noteStates(states, errs, lastIndex)
	}
	slices.Sort(missing)
	return states, missing
}

// bootstrap writes the first configuration; view has every node of the file.
func (n *Node) bootstrap(view map[string]string) error {
	var c raft.Configuration
	for _, name := range slices.Sorted(maps.Keys(view)) {
		c.Servers = append(c.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(view[name]), Address: raft.ServerAddress(view[name]),
		})
	}
	// The try before this one may have found no room in its middle.
	if err := n.storage.ForgetBootstrap(); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	err := waitFuture(n.raft.BootstrapCluster(c), n.stopped)
	if err != nil && !n.hasState() {
		return fmt.Errorf("bootstrap: %w", err)
	}
	if err == nil {
		n.committedConfiguration(1, c) // every log of this cluster begins with it
	}
	n.log.Info("first start: cluster formed", "servers", strings.Join(slices.Sorted(maps.Values(view)), " "))
	return nil
}
