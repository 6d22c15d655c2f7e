package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// impostor speaks Raft to a node in the name of a server that does not run.
type impostor struct {
	*raft.NetworkTransport
	self peer.Identity
}

func (c *testCluster) impostor(self peer.Identity) *impostor {
	streams := newStreams(c.t.Context(), testNetwork(self, c.members))
	transport := newTransport(streams, hclog.NewNullLogger(), patience)
	c.t.Cleanup(func() { _ = transport.Close() })
	return &impostor{transport, self}
}

func (i *impostor) header() raft.RPCHeader {
	id := raft.ServerID(i.self.ServerID)
	return raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: i.EncodePeer(id, raft.ServerAddress(id)),
	}
}

// heartbeat is one of the leader of a term.
func (i *impostor) heartbeat(to *Node, term uint64) error {
	id := to.raft.self
	return i.AppendEntries(raft.ServerID(id), raft.ServerAddress(id),
		&raft.AppendEntriesRequest{RPCHeader: i.header(), Term: term}, &raft.AppendEntriesResponse{})
}

// askVote asks for a vote as a candidate whose log is ahead of everybody's.
func (i *impostor) askVote(from *Node, term uint64) (granted bool, err error) {
	id := from.raft.self
	var answer raft.RequestVoteResponse
	err = i.RequestVote(raft.ServerID(id), raft.ServerAddress(id), &raft.RequestVoteRequest{
		RPCHeader: i.header(), Term: term, LastLogIndex: 1 << 40, LastLogTerm: term - 1, LeadershipTransfer: true,
	}, &answer)
	return answer.Granted, err
}

// A node that has given its vote in a term stays in it, whatever comes from leaders of earlier ones at
// the same moment: else it would take entries of theirs that the one it has elected does not have.
func TestTermNeverGoesBack(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	leader, followers := c.leader().network.Self, c.followers()
	n, candidate := followers[0], followers[1].network.Self
	c.stop(leader.Node)
	c.stop(candidate.Node)
	old, next := c.impostor(leader), c.impostor(candidate)
	for try := range 100 {
		term := n.raft.CurrentTerm()
		beat := make(chan error, 1)
		go func() {
			time.Sleep(time.Duration(try%10) * 200 * time.Microsecond) // from before the vote to behind it
			beat <- old.heartbeat(n, term+1)
		}()
		granted, err := next.askVote(n, term+2)
		if beatErr := <-beat; err != nil || beatErr != nil {
			t.Fatal(err, beatErr)
		}
		if now := n.raft.CurrentTerm(); granted && now < term+2 {
			t.Fatalf("try %d: voted in term %d, and is in term %d", try, term+2, now)
		}
	}
}
