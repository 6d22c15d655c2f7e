package torture

import (
	"errors"
	"fmt"
	"strings"
)

// memberNew has a node join that nobody has ever heard of, and takes it out again, so that the cluster is
// as it was. A majority is there all the time: no client of another node notices anything.
func memberNew(r *round) error {
	n, err := r.cluster.invite()
	if err != nil {
		return err
	}
	if err := r.restartEach(); err != nil { // the list of nodes is read at a start only
		return err
	}
	logs, began := n.logSize(), r.logSizes()
	if err := n.start(); err != nil {
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
	if err := r.done(r.any(), "member", "remove", n.name); err != nil {
		return err
	}
	if err := r.endsRemoved(n); err != nil {
		return err
	}
	if err := errors.Join(n.judgeLog(logs), r.cluster.dismiss()); err != nil {
		return err
	}
	if err := r.restartEach(); err != nil {
		return err
	}
	return r.allVote()
}

// logSizes is how long the nodes' logs are, in their order.
func (r *round) logSizes() (sizes []int64) {
	for _, n := range r.cluster.nodes {
		sizes = append(sizes, n.logSize())
	}
	return sizes
}

// cameWithoutVote wants those who led since then to have let the server in without a vote, and to have
// given it one later.
func (r *round) cameWithoutVote(n *node, logs []int64) error {
	s, err := n.status()
	if err != nil {
		return violationf("%s: %v", n.name, err)
	}
	for _, step := range []string{"admitting a server: id=", "giving a server its vote: id="} {
		took := false
		for i, other := range r.cluster.nodes {
			took = took || strings.Contains(other.logSince(logs[i]), step+s.ServerID)
		}
		if !took {
			return violationf("%s is a voter, and no node has logged %q", s.ServerID, step+s.ServerID)
		}
	}
	return nil
}

// atHome wants a new node to have what was there before it, to see what is written elsewhere, and to be
// seen.
func (r *round) atHome(n *node) error {
	for _, u := range r.past {
		s, err := n.read(u.name)
		if err == nil {
			err = u.judge(s)
		}
		if err != nil {
			return violationf("on %s, which is new: %v", n.name, err)
		}
	}
	other := r.any()
	for i, way := range [][2]*node{{other, n}, {n, other}} {
		if err := r.sees(way[0], way[1], fmt.Sprint(i)); err != nil {
			return violationf("from %s to %s, one of which is new: %v", way[0].name, way[1].name, err)
		}
	}
	return nil
}

// sees writes a value on one node and reads it on another one.
func (r *round) sees(writes, reads *node, value string) error {
	const key = "reg:new"
	c, err := writes.dial(r.load.user)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.expect("SET "+key+" "+value, "OK"); err != nil {
		return err
	}
	d, err := reads.dial(r.load.user)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return errors.Join(d.expect("SYNC", "OK"), d.expect("GET "+key, value))
}
