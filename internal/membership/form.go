package membership

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"ciderd/internal/peerstate"
)

// forming is the first start of a cluster, as seen by one node with an empty directory.
//
// A node bootstraps only when every node of the file has answered that it is empty, has the same file, sees the
// same servers, and remembers the same recovery, if any. So all nodes bootstrap with one identical configuration,
// and an empty disk that finds a cluster with state never does: it would form a second cluster, or be a vote
// without a memory. (A wiped disk has a new id, which no configuration knows.) Instead it asks to be admitted.
type forming struct {
	*base
	recoveries *recoveries
	belonging  *belonging

	mu   sync.Mutex // protects seen
	seen map[string]string
}

// view returns the servers that this node has seen, by name. Once it has data, servers is its configuration: what
// it saw before it was admitted to another node's cluster has formed nothing.
func (f *forming) view(servers Servers) map[string]string {
	f.mu.Lock()
	seen := maps.Clone(f.seen)
	f.mu.Unlock()
	if f.hasState() {
		maps.DeleteFunc(seen, func(_, id string) bool { return !servers.Has(id) })
	}
	return seen
}

func (f *forming) set(view map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = view
}

// formPoll is how often a node that cannot start yet asks the others again.
const formPoll = 100 * time.Millisecond

// run returns when this node is part of a cluster.
func (f *forming) run(ctx context.Context) {
	for !f.hasState() {
		waiting, err := f.try(ctx)
		if err == nil && waiting == "" {
			break
		}
		if err != nil {
			waiting = err.Error()
		}
		f.Serving.SetWaiting(waiting)
		select {
		case <-time.After(formPoll):
		case <-ctx.Done():
			return
		}
	}
	f.Serving.SetWaiting("")
}

// try returns what it waits for; empty: bootstrapped.
func (f *forming) try(ctx context.Context) (waiting string, err error) {
	states, missing := f.Peers.AskAll(ctx)
	names := f.Network.Members.Names()
	view := map[string]string{f.self.Node: f.self.ServerID}
	var stateful, different, older []string
	if err := f.recoveries.adopt(states); err != nil {
		return "", err
	}
	for name, s := range states {
		switch {
		case s.Known && s.Recovered < f.recoveries.recovered():
			older = append(older, name) // from before its cluster was recovered
		case s.Known && s.View[f.self.Node] == f.self.ServerID:
			return "first start: " + name + " has formed the cluster with this node; waiting for its leader", nil
		case s.Known:
			stateful = append(stateful, name)
		case !sameNames(s.Nodes, names):
			different = append(different, name)
			f.Peers.Set(peerstate.Status{Name: name, Reason: "has another list of nodes: " + strings.Join(s.Nodes, ", ")})
		default:
			view[name] = s.ServerID
		}
	}
	f.set(view)
	switch {
	case len(stateful) > 0:
		slices.Sort(stateful)
		waiting = f.belonging.askToJoin(ctx, stateful)
		if len(missing) > 0 {
			waiting += "; " + f.Peers.Why(missing)
		}
		return waiting, nil
	case len(older) > 0:
		slices.Sort(older)
		return fmt.Sprintf("first start: the data on %s is from before the recovery at %s that this node's directory remembers; one or the other must be removed",
			strings.Join(older, ", "), momentOf(f.recoveries.recovered())), nil
	case len(different) > 0:
		slices.Sort(different)
		return fmt.Sprintf("first start: the files differ: %s; this one has %s",
			f.Peers.Why(different), strings.Join(names, ", ")), nil
	case len(missing) > 0:
		return "first start: waiting for " + f.Peers.Why(missing), nil
	}
	agreed, err := f.recoveries.agree(states)
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
	return "", f.bootstrap(view)
}

// sameNames reports whether two lists have the same nodes, in any order.
func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// bootstrap writes the first configuration; view has every node of the file.
func (f *forming) bootstrap(view map[string]string) error {
	var servers Servers
	for _, name := range slices.Sorted(maps.Keys(view)) {
		servers = append(servers, Server{ID: view[name], Voter: true})
	}
	// The previous try may have found the disk full halfway.
	if err := f.Storage.ForgetBootstrap(); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	err := f.Changes.Bootstrap(servers)
	if err != nil && !f.hasState() {
		return fmt.Errorf("bootstrap: %w", err)
	}
	if err == nil {
		f.belonging.committedServers(1, servers) // every log of this cluster begins with it
	}
	f.Log.Info("first start: cluster formed", "servers", strings.Join(slices.Sorted(maps.Values(view)), " "))
	return nil
}
