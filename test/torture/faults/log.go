package faults

import (
	"fmt"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// logStuck gives a node an output that nobody reads, has it lead, and wants nobody to notice; and then wants
// SIGTERM to end it as ever.
func logStuck(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	if err := n.Terminate(); err != nil {
		return err
	}
	if err := n.StartUnread(); err != nil {
		return err
	}
	if err := r.back(n); err != nil {
		return err
	}
	if err := r.leads(n); err != nil {
		return err
	}
	if err := r.flows(); err != nil {
		return err
	}
	if !r.Combined {
		n.Level.Store(int32(judge.Quiet))
	}
	if err := r.Pass(r.Between(cutShort, cutLong)); err != nil {
		return err
	}
	if err := r.flows(); err != nil {
		return err
	}
	if err := r.stillLeads(n); err != nil {
		return err
	}
	r.down(n)
	if err := n.Terminate(); err != nil {
		return err
	}
	return r.back(n)
}

// leads hands leadership to a node.
func (r *Round) leads(n *rig.Node) error {
	leader, err := r.someLeader()
	if err != nil || leader == n {
		return err
	}
	return r.done(leader, "transfer", n.Name)
}

func (r *Round) stillLeads(n *rig.Node) error {
	if r.Combined {
		return nil
	}
	leader, err := r.Cluster.Leader()
	if err == nil && leader != n {
		err = fmt.Errorf("%s leads", leader.Name)
	}
	if err != nil {
		return judge.Violationf("%s led, with a log that nobody read: %v", n.Name, err)
	}
	return nil
}
