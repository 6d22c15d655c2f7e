package cluster

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// notifier tells followers at once of a commit that they would otherwise hear of with the next
// entry or heartbeat, up to CommitTimeout later.
//
// It sends an AppendEntries without entries that the leader of that term may send at any time: its
// term, the entry just committed as the previous one, and that entry's index as the commit index.
// It is right exactly because the term is the entry's own and the entry came out of this node's own
// Apply: only the leader of that term can have put it there. To each follower one is on its way at
// a time, and none while newer entries are, as those carry the news.
type notifier struct {
	node *Node

	mu     sync.Mutex // latest, chans
	latest commit
	chans  map[raft.ServerID]chan struct{}
}

type commit struct{ term, index uint64 }

func newNotifier(n *Node) *notifier {
	return &notifier{node: n, chans: map[raft.ServerID]chan struct{}{}}
}

// committed is told of each entry that this node's own Apply brought through.
func (t *notifier) committed(term, index uint64) {
	if t.node.raft.LastIndex() > index {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if index <= t.latest.index && term <= t.latest.term {
		return
	}
	t.latest = commit{term, index}
	for _, c := range t.chans {
		signal(c)
	}
}

// follow sets whom to tell: the other servers of the configuration.
func (t *notifier) follow(servers []raft.Server) {
	t.mu.Lock()
	defer t.mu.Unlock()
	present := map[raft.ServerID]bool{}
	for _, s := range servers {
		if string(s.ID) == t.node.self.ServerID {
			continue
		}
		present[s.ID] = true
		if t.chans[s.ID] == nil {
			c := make(chan struct{}, 1)
			t.chans[s.ID] = c
			t.node.wg.Go(func() { t.run(s, c) })
		}
	}
	for id, c := range t.chans {
		if !present[id] {
			close(c)
			delete(t.chans, id)
		}
	}
}

// run tells one follower, until its channel or the node is closed.
func (t *notifier) run(s raft.Server, c chan struct{}) {
	told := uint64(0)
	for {
		select {
		case _, ok := <-c:
			if !ok {
				return
			}
		case <-t.node.stopped:
			return
		}
		t.mu.Lock()
		news := t.latest
		t.mu.Unlock()
		if news.index <= told || t.node.raft.LastIndex() > news.index {
			continue
		}
		if t.tell(s, news) != nil {
			// Raft's own traffic will bring the news. A dead follower is not worth dialling often.
			t.pause(100 * time.Millisecond)
			continue
		}
		told = news.index
	}
}

func (t *notifier) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.node.stopped:
	}
}

func (t *notifier) tell(s raft.Server, news commit) error {
	n := t.node
	request := &raft.AppendEntriesRequest{
		RPCHeader: n.rpcHeader(),
		Term:      news.term, PrevLogEntry: news.index, PrevLogTerm: news.term,
		LeaderCommitIndex: news.index,
	}
	return n.transport.AppendEntries(s.ID, s.Address, request, &raft.AppendEntriesResponse{})
}
