package torture

import "fmt"

// logStuck gives a node an output that nobody reads, has it lead, and wants nobody to notice; and then wants
// SIGTERM to end it as ever.
func logStuck(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	if err := n.terminate(); err != nil {
		return err
	}
	if err := n.startUnread(); err != nil {
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
	if !r.combined {
		n.level.Store(int32(quiet))
	}
	if err := r.pass(r.between(cutShort, cutLong)); err != nil {
		return err
	}
	if err := r.flows(); err != nil {
		return err
	}
	if err := r.stillLeads(n); err != nil {
		return err
	}
	r.down(n)
	if err := n.terminate(); err != nil {
		return err
	}
	return r.back(n)
}

// leads hands leadership to a node.
func (r *round) leads(n *node) error {
	leader, err := r.someLeader()
	if err != nil || leader == n {
		return err
	}
	return r.done(leader, "transfer", n.name)
}

func (r *round) stillLeads(n *node) error {
	if r.combined {
		return nil
	}
	leader, err := r.cluster.leader()
	if err == nil && leader != n {
		err = fmt.Errorf("%s leads", leader.name)
	}
	if err != nil {
		return violationf("%s led, with a log that nobody read: %v", n.name, err)
	}
	return nil
}
