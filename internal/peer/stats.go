package peer

import "sync/atomic"

// Stats counts what happened between this node and others since the process began, and what is open now.
type Stats struct {
	Connections int    // accepted and open, proven ones only
	Encrypted   int    // of those, the encrypted ones
	Accepted    uint64 // connections that were accepted
	Rejected    uint64 // connections that were refused, for any reason
	Asked       uint64 // questions to other nodes
	Unanswered  uint64 // questions without an answer
}

// counts holds the counters of a Network and its Listener.
type counts struct{ accepted, rejected, asked, unanswered atomic.Uint64 }

// Stats returns the current numbers.
func (n *Network) Stats() Stats {
	s := Stats{Asked: n.counts.asked.Load(), Unanswered: n.counts.unanswered.Load()}
	if l := n.listener; l != nil {
		s.Encrypted = n.Security.encryptedCount()
		s.Connections, s.Accepted, s.Rejected = l.proven.count(), l.counts.accepted.Load(), l.counts.rejected.Load()
	}
	return s
}
