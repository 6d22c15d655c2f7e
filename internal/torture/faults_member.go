package torture

import (
	"errors"
	"strings"
	"time"
)

func memberFaults() []fault {
	return []fault{
		{name: "transfer-storm", how: "ciderd transfer to each node in turn and to the best, twice", act: transferStorm},
		{name: "member-replace", how: "ciderd member remove of a node; its data directory removed, start, member add and promote", act: memberReplace},
		{name: "member-dead", how: "kill -9 of a node, member remove of another (refused) and of it; it comes back with its old data, and then without", act: memberDead},
		{name: "member-new", how: "a file with one node more on all; SIGTERM and start, one after the other; start of the new one, without a command; then member remove of it, the old file, and SIGTERM and start", act: memberNew, single: true},
	}
}

// transferStorm lets nobody notice anything: all nodes stay quiet.
func transferStorm(r *round) error {
	for range 2 {
		for _, i := range r.random.Perm(len(r.cluster.nodes)) {
			if err := r.lead(r.cluster.nodes[i]); err != nil {
				return err
			}
			if err := r.flows(); err != nil {
				return err
			}
		}
		if err := r.done(r.any(), "transfer"); err != nil {
			return err
		}
	}
	return r.flows()
}

// memberReplace takes a node out, the leader as likely as a follower, and lets it in again as an
// operator does; the cluster, which does it by itself, may be first at each step.
func memberReplace(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	operator := r.any() // itself as likely as another
	r.down(n)
	n.mayEnd = true
	if err := r.done(operator, "member", "remove", n.name); err != nil {
		return err
	}
	if err := r.endsRemoved(n); err != nil {
		return err
	}
	if err := r.flows(r.cluster.others(n)...); err != nil {
		return err
	}
	if err := r.anew(n); err != nil {
		return err
	}
	other := r.cluster.others(n)[0]
	if err := r.doneOr(other, "is a member already", "member", "add", n.name); err != nil {
		return err
	}
	if err := r.doneOr(other, "has its vote already", "member", "promote", n.name); err != nil {
		return err
	}
	return r.allVote()
}

// memberDead takes out a node that is gone, and wants what would cost the quorum to be refused.
func memberDead(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	others := r.cluster.others(n)
	r.down(n)
	if err := n.kill(); err != nil {
		return err
	}
	if err := r.flows(others...); err != nil {
		return err
	}
	if len(r.cluster.nodes) == 3 { // with more, one of them can be spared
		if err := r.refused(others[0], "would stop", "member", "remove", others[1].name); err != nil {
			return err
		}
	}
	if err := r.done(others[0], "member", "remove", n.name); err != nil {
		return err
	}
	if err := n.start(); err != nil { // with what it had: it must not come back as who it was
		return err
	}
	if err := r.endsRemoved(n); err != nil {
		return err
	}
	if err := r.anew(n); err != nil {
		return err
	}
	return r.allVote()
}

// endsRemoved wants the process of a server that was taken out to end by itself, saying why.
func (r *round) endsRemoved(n *node) error {
	if r.combined { // it may not have been taken out, or find nobody who tells it
		return r.pass(time.Second)
	}
	err := until(r.ctx, healLimit, n.name+" ends after it was removed", func() error {
		if n.running() {
			return errors.New("it runs")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := n.needsPerson(); err != nil {
		return err
	}
	if last := n.lastLine(0); !strings.Contains(last, "was removed from the cluster") {
		return violationf("%s was removed and ended with %.300q", n.name, last)
	}
	return nil
}

// anew starts a node with an empty data directory.
func (r *round) anew(n *node) error { return errors.Join(n.kill(), n.disk.wipe(), n.start()) }

// allVote wants all nodes that there are to be voters, and each of them to list them so.
func (r *round) allVote() error {
	if r.combined { // it is judged when all is healed
		return nil
	}
	return r.cluster.allVote()
}
