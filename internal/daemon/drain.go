package daemon

import (
	"context"
	"errors"

	"ciderd/internal/admin/api"
)

// drain takes this node out of traffic, or back into it. Health checks see it first; then leadership goes to another
// node, and then the clients do. It waits for the new leader, and not for clients: see drained. What is not done at once
// the node goes on with.
func (o operators) drain(ctx context.Context, on bool) (api.Draining, error) {
	server := o.d.serving.Load()
	if server == nil {
		return api.Draining{}, errors.New("this node is starting: try again")
	}
	o.d.drains.Lock()
	defer o.d.drains.Unlock()
	o.d.draining.Store(on)
	if on {
		if err := o.d.node.Transfer(ctx); err != nil {
			o.d.log.Warn("this node is draining, and leads on", "error", err)
		}
	}
	server.SetDraining(on)
	return o.drained(), nil
}

// drained returns how far that is.
func (o operators) drained() api.Draining {
	s := o.d.node.Status()
	left := 0
	if server := o.d.serving.Load(); server != nil {
		left = server.Connections()
	}
	others := s.Voters
	if s.Voter {
		others--
	}
	return api.Draining{
		Node: s.Node, Draining: o.d.draining.Load(), Left: left, Leads: s.Leader == s.Node, Leader: s.Leader, Alone: others == 0,
	}
}
