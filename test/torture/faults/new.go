package faults

import (
	"errors"
	"fmt"
	"strings"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// memberNew has a node join that nobody has ever heard of, and takes it out again, so that the cluster is
// as it was. A majority is there all the time: no client of another node notices anything.
func memberNew(r *Round) error {
	n, err := r.Cluster.Invite()
	if err != nil {
		return err
	}
	if err := r.restartEach(); err != nil { // the list of nodes is read at a start only
		return err
	}
	logs, began := n.Log.Size(), r.logSizes()
	if err := n.Start(); err != nil {
		return err
	}
	if err := r.allVote(); err != nil {
		return err
	}
	if err := r.cameWithoutVote(n, began); err != nil {
		return err
	}
	if err := r.atHome(n); err != nil {
		return err
	}
	if err := r.flows(); err != nil {
		return err
	}
	if err := r.done(r.any(), "member", "remove", n.Name); err != nil {
		return err
	}
	if err := r.endsRemoved(n); err != nil {
		return err
	}
	if err := errors.Join(n.Log.Judge(logs), r.Cluster.Dismiss()); err != nil {
		return err
	}
	if err := r.restartEach(); err != nil {
		return err
	}
	return r.allVote()
}

// logSizes is how long the nodes' logs are, in their order.
func (r *Round) logSizes() (sizes []int64) {
	for _, n := range r.Cluster.Nodes {
		sizes = append(sizes, n.Log.Size())
	}
	return sizes
}

// cameWithoutVote wants those who led since then to have let the server in without a vote, and to have
// given it one later.
func (r *Round) cameWithoutVote(n *rig.Node, logs []int64) error {
	s, err := n.Status()
	if err != nil {
		return judge.Violationf("%s: %v", n.Name, err)
	}
	for _, step := range []string{"admitting a server: id=", "giving a server its vote: id="} {
		took := false
		for i, other := range r.Cluster.Nodes {
			took = took || strings.Contains(other.Log.Since(logs[i]), step+s.ServerID)
		}
		if !took {
			return judge.Violationf("%s is a voter, and no node has logged %q", s.ServerID, step+s.ServerID)
		}
	}
	return nil
}

// atHome wants a new node to have what was there before it, to see what is written elsewhere, and to be
// seen.
func (r *Round) atHome(n *rig.Node) error {
	for _, u := range r.Past {
		s, err := n.Read(u.Name)
		var share rig.Share
		if err == nil {
			share, err = n.Share(u.Name)
		}
		if err == nil {
			err = u.Judge(s, share)
		}
		if err != nil {
			return judge.Violationf("on %s, which is new: %v", n.Name, err)
		}
	}
	other := r.any()
	for i, way := range [][2]*rig.Node{{other, n}, {n, other}} {
		if err := r.sees(way[0], way[1], fmt.Sprint(i)); err != nil {
			return judge.Violationf("from %s to %s, one of which is new: %v", way[0].Name, way[1].Name, err)
		}
	}
	return nil
}

// sees writes a value on one node and reads it on another one.
func (r *Round) sees(writes, reads *rig.Node, value string) error {
	const key = "reg:new"
	c, err := writes.Dial(r.Load.User)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.Expect("SET "+key+" "+value, "OK"); err != nil {
		return err
	}
	d, err := reads.Dial(r.Load.User)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return errors.Join(d.Expect("SYNC", "OK"), d.Expect("GET "+key, value))
}
