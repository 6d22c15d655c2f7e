package faults

import (
	"errors"
	"strings"
	"time"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

func memberFaults() []Fault {
	return []Fault{
		{Name: "transfer-storm", How: "ciderd transfer to each node in turn and to the best, twice", Act: transferStorm},
		{Name: "member-replace", How: "ciderd member remove of a node; its data directory removed, start, member add and promote", Act: memberReplace},
		{Name: "member-dead", How: "kill -9 of a node, member remove of another (refused) and of it; it comes back with its old data, and then without", Act: memberDead},
		{Name: "member-new", How: "a file with one node more on all; SIGTERM and start, one after the other; start of the new one, without a command; then member remove of it, the old file, and SIGTERM and start", Act: memberNew, Single: true},
	}
}

// transferStorm lets nobody notice anything: all nodes stay quiet.
func transferStorm(r *Round) error {
	for range 2 {
		for _, i := range r.Random.Perm(len(r.Cluster.Nodes)) {
			if err := r.lead(r.Cluster.Nodes[i]); err != nil {
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
func memberReplace(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	operator := r.any() // itself as likely as another
	r.down(n)
	n.MayEnd = true
	if err := r.done(operator, "member", "remove", n.Name); err != nil {
		return err
	}
	if err := r.endsRemoved(n); err != nil {
		return err
	}
	if err := r.flows(r.Cluster.Others(n)...); err != nil {
		return err
	}
	if err := r.anew(n); err != nil {
		return err
	}
	other := r.Cluster.Others(n)[0]
	if err := r.doneOr(other, "is a member already", "member", "add", n.Name); err != nil {
		return err
	}
	if err := r.doneOr(other, "has its vote already", "member", "promote", n.Name); err != nil {
		return err
	}
	return r.allVote()
}

// memberDead takes out a node that is gone, and wants what would cost the quorum to be refused.
func memberDead(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	others := r.Cluster.Others(n)
	r.down(n)
	if err := n.Kill(); err != nil {
		return err
	}
	if err := r.flows(others...); err != nil {
		return err
	}
	if len(r.Cluster.Nodes) == 3 { // with more, one of them can be spared
		if err := r.refused(others[0], "would stop", "member", "remove", others[1].Name); err != nil {
			return err
		}
	}
	if err := r.done(others[0], "member", "remove", n.Name); err != nil {
		return err
	}
	if err := n.Start(); err != nil { // with what it had: it must not come back as who it was
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
func (r *Round) endsRemoved(n *rig.Node) error {
	if r.Combined { // it may not have been taken out, or find nobody who tells it
		return r.Pass(time.Second)
	}
	err := rig.Until(r.Ctx, rig.HealLimit, n.Name+" ends after it was removed", func() error {
		if n.Running() {
			return errors.New("it runs")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := n.NeedsPerson(); err != nil {
		return err
	}
	if last := n.Log.LastLine(0); !strings.Contains(last, "was removed from the cluster") {
		return judge.Violationf("%s was removed and ended with %.300q", n.Name, last)
	}
	return nil
}

// anew starts a node with an empty data directory.
func (r *Round) anew(n *rig.Node) error { return errors.Join(n.Kill(), n.Disk.Wipe(), n.Start()) }

// allVote wants all nodes that there are to be voters, and each of them to list them so.
func (r *Round) allVote() error {
	if r.Combined { // it is judged when all is healed
		return nil
	}
	return r.Cluster.AllVote()
}
