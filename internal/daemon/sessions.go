package daemon

import (
	"iter"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
	"ciderd/internal/report"
)

// sessionsNode is the node as sessions and accounts need it.
type sessionsNode struct {
	*cluster.Node
	reports *report.Source
}

// Propose hands a group to the write path.
func (n sessionsNode) Propose(g fsm.Group, timeout time.Duration) accounts.Proposal {
	return n.Node.Propose(g, timeout)
}

// Facts returns what STATUS prints.
func (n sessionsNode) Facts() iter.Seq2[string, string] {
	r := n.reports.Report()
	return r.Facts()
}

// Self returns this node's name and its role now.
func (n sessionsNode) Self() (name, role string) {
	s := n.Status()
	return s.Node, s.Role
}
