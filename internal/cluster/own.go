package cluster

import (
	"ciderd/internal/fsm"
	"ciderd/internal/membership"
	"ciderd/internal/pipeline"
)

// ownWrites makes the writes that come from the node itself, not from a user.
type ownWrites struct{ pipeline *pipeline.Pipeline }

// forget has the log drop what the state holds of a removed server.
func (o ownWrites) forget(serverID string) error {
	return o.propose(fsm.Command{Op: fsm.OpGone, Words: [][]byte{[]byte(serverID)}})
}

// setClosed closes the state to what makes it grow, or opens it, with an entry in the log.
func (o ownWrites) setClosed(closed bool) error {
	command := fsm.Command{Op: fsm.OpClose}
	if closed {
		command.N = 1
	}
	return o.propose(command)
}

// setLimits proposes limits on memory.
func (o ownWrites) setLimits(c fsm.Command) (fsm.Result, error) {
	results, err := o.pipeline.Propose(fsm.NewGroup(c), membership.ChangeTimeout).Wait()
	if err != nil || len(results) != 1 {
		return fsm.Result{}, err
	}
	return results[0], nil
}

func (o ownWrites) propose(c fsm.Command) error {
	_, err := o.pipeline.Propose(fsm.NewGroup(c), membership.ChangeTimeout).Wait()
	return err
}
