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
	told, wait := uint64(0), time.Duration(0)
	for {
		var again <-chan time.Time // never, unless it is to be told again
		if wait > 0 {
			again = time.After(wait)
		}
		select {
		case _, ok := <-c:
			if !ok {
				return
			}
			wait = 0
		case <-again:
		case <-t.node.stopped:
			return
		}
		told, wait = t.tellLatest(s, told, wait)
	}
}

const (
	// behindPause is what a follower gets to store an entry that the others had first; it doubles
	// with each try, up to Timing.Commit: by then Raft has sent something itself.
	behindPause = 200 * time.Microsecond
	// deadPause: a dead follower is not worth dialling often.
	deadPause = 100 * time.Millisecond
)

// tellLatest tells a follower, which knows of the commits up to told, of the latest one, unless
// entries on their way do that. It returns what the follower knows now, and how long to wait before
// the next try, waited being the last such wait; 0: until there is other news. A majority may have
// had the entry before this follower: it refuses the news then, and without another try would hear
// of the commit when Raft sends something next, up to 100 ms later, with everybody who wrote there
// waiting.
func (t *notifier) tellLatest(s raft.Server, told uint64, waited time.Duration) (knows uint64, wait time.Duration) {
	t.mu.Lock()
	news := t.latest
	t.mu.Unlock()
	if news.index <= told || t.node.raft.LastIndex() > news.index {
		return told, 0
	}
	response, err := t.tell(s, news)
	if err != nil { // Raft's own traffic will bring the news
		t.pause(deadPause)
		return told, 0
	}
	if response.Success {
		return news.index, 0
	}
	if wait = news.again(&response, waited); wait > t.node.config.Timing.Commit {
		return told, 0
	}
	return told, wait
}

// again is how long to wait before a follower that has refused the news is told it again; 0: that is
// not to be done.
func (c commit) again(refusal *raft.AppendEntriesResponse, waited time.Duration) time.Duration {
	switch {
	case refusal.Term > c.term: // somebody else leads
		return 0
	case refusal.LastLog+maxAppendEntries < c.index: // what Raft has yet to send brings the news
		return 0
	}
	return max(behindPause, 2*waited)
}

func (t *notifier) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.node.stopped:
	}
}

// tell sends the news. No success: the follower does not have the entry yet, or is in a later term.
func (t *notifier) tell(s raft.Server, news commit) (response raft.AppendEntriesResponse, err error) {
	n := t.node
	request := &raft.AppendEntriesRequest{
		RPCHeader: n.rpcHeader(),
		Term:      news.term, PrevLogEntry: news.index, PrevLogTerm: news.term,
		LeaderCommitIndex: news.index,
	}
	err = n.transport.AppendEntries(s.ID, s.Address, request, &response)
	return response, orImpossible(err, news.term, &response.Term)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
