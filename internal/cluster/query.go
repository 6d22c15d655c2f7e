package cluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

// question is what one node asks another; exactly one field is set.
type question struct {
	State     *stateQuestion     `json:",omitempty"`
	Term      *termQuestion      `json:",omitempty"`
	ReadIndex *readIndexQuestion `json:",omitempty"`
	Join      *joinQuestion      `json:",omitempty"`
	Members   *membersQuestion   `json:",omitempty"`
	Change    *changeQuestion    `json:",omitempty"`
	Marks     *marksQuestion     `json:",omitempty"`
	Servers   *serversQuestion   `json:",omitempty"`
	Silence   *silenceQuestion   `json:",omitempty"`
}

type (
	stateQuestion struct{}
	termQuestion  struct{}
	// readIndexQuestion asks the leader for an index that holds all that was acknowledged before.
	readIndexQuestion struct{ TimeoutMS int64 }
	// joinQuestion asks the leader to admit the server that asks.
	joinQuestion struct{ ServerID string }
	// membersQuestion and changeQuestion are an operator's, to the leader.
	membersQuestion struct{}
	changeQuestion  struct {
		Op, Name  string
		Yes       bool // also if no node may fail after it
		TimeoutMS int64
	}
	// marksQuestion asks for the hashes of the state at some indexes.
	marksQuestion struct{}
	// serversQuestion asks a leader for its configuration, and that it makes sure that it leads.
	serversQuestion struct{}
	// silenceQuestion asks for how long nothing was heard of a server.
	silenceQuestion struct{ ServerID string }
)

type answer struct {
	State     *stateAnswer     `json:",omitempty"`
	Term      *termAnswer      `json:",omitempty"`
	ReadIndex *readIndexAnswer `json:",omitempty"`
	Join      *joinAnswer      `json:",omitempty"`
	Members   *membersAnswer   `json:",omitempty"`
	Change    *changeAnswer    `json:",omitempty"`
	Marks     *marksAnswer     `json:",omitempty"`
	Servers   *serversAnswer   `json:",omitempty"`
	Silence   *silenceAnswer   `json:",omitempty"`
	Error     string           `json:",omitempty"`
}

type (
	stateAnswer struct {
		ServerID  string
		Known     bool              // it has a log or a snapshot
		Nodes     []string          // of its file, in order
		View      map[string]string // what it has seen of the others: name -> server id, empty directories only
		LastIndex uint64
		Settled   bool     // Now is the cluster's time
		Now, Wall int64    // Unix milliseconds
		Servers   []string // of the configuration; from a leader only
		Recovered int64    // see recovered.go
		Outside   bool     // its own configuration does not have it: it can vouch for no recovery
		NoRoom    bool     // its disk is nearly full
		NearFull  bool     // it gets less, and that may come soon
		Entries   int      // the latest version of entries that it reads; 0: 1, of an older release
		Pressing  bool     // little is left of what it keeps, or nothing
		Role      string   // see Status; empty: of the release before
		// OutsideAsOf is up to where in the log who asks is none of the cluster's servers; 0: it is, or that is not known.
		OutsideAsOf uint64
	}
	marksAnswer struct {
		Release   string // hashes of two releases cannot be compared
		Marks     []fsm.Mark
		Withdrawn bool // it serves nobody, see compare.go
	}
	joinAnswer struct {
		Leads    bool
		Admitted bool
		Removed  bool   // it was one, and was taken out
		Reason   string // why not (yet)
	}
	membersAnswer struct {
		Leads bool
		List  []MemberStatus
	}
	changeAnswer struct {
		Leads   bool
		Said    string // what was done
		Refused string // why nothing was
		Failed  string // what went wrong; the outcome is not known
	}
	silenceAnswer struct{ MS int64 }
	serversAnswer struct {
		Term uint64
		IDs  []string
	}
	termAnswer      struct{ Term uint64 }
	readIndexAnswer struct {
		Index uint64
		Now   int64 // the leader's clock, Unix milliseconds
	}
)

// serveQueries answers another node's questions.
func (n *Node) serveQueries(conn net.Conn, remote peer.Identity) {
	peer.ServeQueries(conn, n.budget, func(q question) answer {
		n.heard.note(remote.ServerID)
		return n.answer(q, remote)
	})
}

// ofMembers tells whether a question is for servers of the configuration alone. The others are those that a node
// must ask before it is in one, or when it does not know that it is in none any more: they change nothing, but
// for Join, which has its own conditions.
func (q question) ofMembers() bool {
	return q.State == nil && q.Term == nil && q.Join == nil && q.Servers == nil
}

func (n *Node) answer(q question, from peer.Identity) answer {
	if q.ofMembers() && from.ServerID != n.self.ServerID && !n.isServer(from.ServerID) {
		return answer{Error: fmt.Sprintf("%s is not in the configuration of %s: ask a node that is", from.ServerID, n.self.Node)}
	}
	switch {
	case q.Join != nil && q.Join.ServerID != from.ServerID:
		return answer{Join: &joinAnswer{Reason: fmt.Sprintf("%s asks for %s", from.ServerID, q.Join.ServerID)}}
	case q.Join != nil:
		return answer{Join: n.admissions.answer(from.Node, q.Join.ServerID)}
	case q.State != nil:
		a := n.stateAnswer()
		a.OutsideAsOf = n.outsideAsOf(from.ServerID)
		return answer{State: a}
	case q.Members != nil:
		if n.raft.State() != raft.Leader {
			return answer{Members: &membersAnswer{}}
		}
		return answer{Members: &membersAnswer{Leads: true, List: n.memberList(n.ctx)}}
	case q.Change != nil:
		return answer{Change: n.admissions.change(q.Change)}
	case q.Marks != nil:
		return answer{Marks: &marksAnswer{Release: fsm.Release, Marks: n.fsm.Marks(), Withdrawn: n.withdrawn.Load()}}
	case q.Servers != nil:
		a, err := n.confirmedServers()
		if err != nil {
			return answer{Error: err.Error()}
		}
		return answer{Servers: a}
	case q.Silence != nil:
		return answer{Silence: &silenceAnswer{n.silentHere(q.Silence.ServerID).Milliseconds()}}
	case q.Term != nil:
		return answer{Term: &termAnswer{Term: n.raft.CurrentTerm()}}
	case q.ReadIndex != nil:
		ctx, cancel := context.WithTimeout(n.ctx, time.Duration(q.ReadIndex.TimeoutMS)*time.Millisecond)
		defer cancel()
		index, err := n.reads.index(ctx)
		if err != nil {
			return answer{Error: err.Error()}
		}
		return answer{ReadIndex: &readIndexAnswer{Index: index, Now: n.clock.Now()}}
	}
	return answer{Error: "unknown question: this node runs an older release"}
}

func (n *Node) stateAnswer() *stateAnswer {
	a := &stateAnswer{
		ServerID: n.self.ServerID, Known: n.hasState(), Recovered: n.recovered(), Nodes: n.members.Names(), View: n.forming.view(),
		LastIndex: n.raft.LastIndex(), Settled: n.clock.Settled(), Now: n.clock.Now(), Wall: n.clock.Wall(),
		NoRoom: n.space.low.Load(), NearFull: n.space.near.Load(), Pressing: n.space.pressing(),
		Entries: fsm.EntryVersion, Role: n.role(),
	}
	if a.Known {
		// What it saw before it was let into another's cluster has formed nothing.
		maps.DeleteFunc(a.View, func(_, id string) bool { return !n.isServer(id) })
	}
	a.Outside = a.Known && !n.isServer(n.self.ServerID)
	if n.raft.State() == raft.Leader {
		for _, s := range n.servers() {
			a.Servers = append(a.Servers, string(s.ID))
		}
	}
	return a
}

// hasState tells whether this node belongs to a cluster already: it has entries, now or from before.
func (n *Node) hasState() bool { return n.storage.Known || n.raft.LastIndex() > 0 }

// ask asks one node, by name or server id.
func (n *Node) ask(ctx context.Context, want string, q question) (answer, error) {
	var a answer
	err := n.client(want).Call(ctx, q, &a)
	return a, err
}

// servers is the latest configuration that this node knows of.
func (n *Node) servers() []raft.Server {
	future := n.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	return slices.Clone(future.Configuration().Servers)
}

func (n *Node) serverIDs() (ids []string) {
	for _, s := range n.servers() {
		ids = append(ids, string(s.ID))
	}
	return ids
}

func (n *Node) isServer(id string) bool {
	return slices.ContainsFunc(n.servers(), func(s raft.Server) bool { return string(s.ID) == id })
}

func (n *Node) voters() (others []string, selfVotes bool) {
	for _, s := range n.servers() {
		switch {
		case s.Suffrage != raft.Voter:
		case string(s.ID) == n.self.ServerID:
			selfVotes = true
		default:
			others = append(others, string(s.ID))
		}
	}
	return others, selfVotes
}

func (n *Node) voterCount() int {
	others, self := n.voters()
	if self {
		return len(others) + 1
	}
	return len(others)
}

// client returns the query client of a node, by name or server id.
func (n *Node) client(want string) *peer.Client {
	n.clientsMu.Lock()
	defer n.clientsMu.Unlock()
	c := n.clients[want]
	if c == nil {
		c = peer.NewClient(func() string {
			address, _ := n.members.Address(want) // an empty address fails to dial, and says so
			return address
		}, n.self, want).By(n.book)
		n.clients[want] = c
	}
	return c
}
