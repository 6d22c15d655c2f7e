package cluster

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/membership"
)

// notifier tells followers at once of a commit that they would otherwise learn with the next entry or heartbeat, up
// to CommitTimeout later.
//
// It sends an AppendEntries without entries, which the leader of that term may send at any time: its term, the
// entry just committed as the previous one, and that entry's index as the commit index. This is correct because the
// term is the entry's own and the entry came out of this node's own Apply: only the leader of that term can have
// put it there. One is in flight to each follower at a time, and none while newer entries are, as those carry the
// commit.
type notifier struct {
	raft      *consensus
	transport *raft.NetworkTransport // nil until Raft starts
	again     time.Duration          // the longest pause before a follower that refused the commit is told again

	wg     sync.WaitGroup
	mu     sync.Mutex // protects latest, chans
	latest commit
	chans  map[raft.ServerID]chan struct{}
}

type commit struct{ term, index uint64 }

func newNotifier(c *consensus, again time.Duration) *notifier {
	return &notifier{raft: c, again: again, chans: map[raft.ServerID]chan struct{}{}}
}

// close returns when no follower is being told any more; the node has been stopped.
func (t *notifier) close() { t.wg.Wait() }

// committed is called with each entry that this node's own Apply committed.
func (t *notifier) committed(term, index uint64) {
	if t.raft.LastIndex() > index {
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

// follow sets which servers to tell: the others of the configuration.
func (t *notifier) follow(servers membership.Servers) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range servers {
		id := raft.ServerID(s.ID)
		if s.ID == t.raft.self || t.chans[id] != nil {
			continue
		}
		c := make(chan struct{}, 1)
		t.chans[id] = c
		t.wg.Go(func() { t.run(id, c) })
	}
	for id, c := range t.chans {
		if !servers.Has(string(id)) {
			close(c)
			delete(t.chans, id)
		}
	}
}

// run tells one follower, until its channel or the node is closed.
func (t *notifier) run(id raft.ServerID, c chan struct{}) {
	told, wait := uint64(0), time.Duration(0)
	for {
		var again <-chan time.Time // never, unless the follower is to be told again
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
		case <-t.raft.stopped:
			return
		}
		told, wait = t.tellLatest(id, told, wait)
	}
}

const (
	// behindPause is the time a follower gets to store an entry that the others had first. It doubles with each
	// try, up to Timing.Commit: by then Raft has sent something itself.
	behindPause = 200 * time.Microsecond
	// deadPause: a dead follower is not worth dialling often.
	deadPause = 100 * time.Millisecond
)

// tellLatest tells a follower, which knows of the commits up to told, of the latest one, unless entries in flight
// do so. It returns what the follower knows now, and how long to wait before the next try, given waited, the last
// such wait; 0: until the next commit. A majority may have had the entry before this follower. It then refuses the
// commit, and without another try would learn it when Raft sends something next, up to 100 ms later, with every
// client that wrote there waiting.
func (t *notifier) tellLatest(id raft.ServerID, told uint64, waited time.Duration) (knows uint64, wait time.Duration) {
	t.mu.Lock()
	news := t.latest
	t.mu.Unlock()
	if news.index <= told || t.raft.LastIndex() > news.index {
		return told, 0
	}
	response, err := t.tell(id, news)
	if err != nil { // Raft's own traffic will tell it
		t.pause(deadPause)
		return told, 0
	}
	if response.Success {
		return news.index, 0
	}
	if wait = news.again(&response, waited); wait > t.again {
		return told, 0
	}
	return told, wait
}

// again returns how long to wait before a follower that refused the commit is told again; 0: it is not.
func (c commit) again(refusal *raft.AppendEntriesResponse, waited time.Duration) time.Duration {
	switch {
	case refusal.Term > c.term: // another node leads
		return 0
	case refusal.LastLog+maxAppendEntries < c.index: // entries that Raft has yet to send carry the commit
		return 0
	}
	return max(behindPause, 2*waited)
}

func (t *notifier) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.raft.stopped:
	}
}

// tell sends the commit. No success: the follower does not have the entry yet, or is in a later term.
func (t *notifier) tell(id raft.ServerID, news commit) (response raft.AppendEntriesResponse, err error) {
	request := &raft.AppendEntriesRequest{
		RPCHeader: t.raft.header(t.transport),
		Term:      news.term, PrevLogEntry: news.index, PrevLogTerm: news.term,
		LeaderCommitIndex: news.index,
	}
	err = t.transport.AppendEntries(id, raft.ServerAddress(id), request, &response)
	return response, orImpossible(err, news.term, &response.Term)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
