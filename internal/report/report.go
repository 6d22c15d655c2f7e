// Package report owns the one answer to how a node and its cluster are. STATUS, the admin socket and the HTTP port
// print it, each in its way.
//
// It promises that all of them say the same, and that a report is made from what the node knows already: it waits for
// nobody. It never decides what is healthy for others to act on, but for the two questions of the health checks.
package report

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strconv"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/auth"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
	"ciderd/internal/peerstate"
	"ciderd/internal/server"
)

// Report is how a node and its cluster are. As JSON it is part of the HTTP port's contract: fields are only added.
type Report struct {
	cluster.Status
	// Draining: it is taken out of traffic, and so not ready, whatever Ready says.
	Draining   bool `json:",omitempty"`
	Version    string
	Uptime     int64  // seconds
	Started    int64  // Unix time in seconds
	PeerTLS    string // how connections between nodes are protected: off, prefer or require, and what more is to be said
	Users      int
	Sessions   int // connections of clients
	Goroutines int // of this process: what grows without end is a leak

	// What the rooms have counted.
	State    fsm.Stats
	Log      cluster.Stats
	Clients  server.Stats
	Accounts accounts.Stats
	Logins   auth.Stats
}

// Source is where the parts of a report come from. Its functions may be called from any goroutine, and do not wait.
type Source struct {
	Status   func() cluster.Status
	Log      func() cluster.Stats
	Clients  func() server.Stats
	Accounts func() accounts.Stats
	Logins   func() auth.Stats
	State    func() fsm.Stats
	PeerTLS  func() string
	Draining func() bool
	Notices  func() []string // what an operator should know, beside what the status has
	Load     func() server.Load
	// Asking returns what each user with a session here has asked of this node.
	Asking func() []server.UserLoad

	// Others asks the other nodes what they say of themselves. It alone waits, a second at most.
	Others       func(ctx context.Context) []Said
	Machine      func() Machine
	Settings     func() map[string]string
	Certificates func() map[string]time.Time // when the files expire
	History      *History
	Events       Events
	Busiest      Busiest
	Address      string // where people and scripts reach this node; empty: nowhere without TLS
	Version      string
	Started      time.Time
}

// Report returns how things are now.
func (s *Source) Report() Report {
	clients, state, status := s.Clients(), s.State(), s.Status()
	status.Notices = append(slices.Clone(status.Notices), s.Notices()...)
	return Report{
		Status: status, Draining: s.Draining(), PeerTLS: s.PeerTLS(), Version: s.Version, Uptime: int64(time.Since(s.Started) / time.Second),
		Started: s.Started.Unix(),
		Users:   state.Users, Sessions: clients.Connections, Goroutines: runtime.NumGoroutine(),
		State: state, Log: s.Log(), Clients: clients, Accounts: s.Accounts(), Logins: s.Logins(),
	}
}

// NotReady returns why reads are not served here; empty: they are.
func (r *Report) NotReady() string {
	switch {
	case !r.Ready:
		return orElse(r.Waiting, "starting")
	case r.Draining:
		return "draining"
	}
	return ""
}

// NotWritable returns why a write is not taken here; empty: as far as is known here, it is.
func (r *Report) NotWritable() string {
	switch {
	case r.NotReady() != "":
		return r.NotReady()
	case r.Leader == "":
		return orElse(r.Waiting, "no leader")
	case !r.Writes && r.Waiting != "":
		return "a majority of the voters does not answer; " + r.Waiting
	case !r.Writes:
		return "a majority of the voters does not answer"
	}
	return ""
}

// waits returns what the node waits for, or that it is out of traffic; empty: neither.
func (r *Report) waits() string {
	if r.Waiting == "" && r.Draining {
		return r.NotReady()
	}
	return r.Waiting
}

// Facts are the names and values that people see, in their order.
func (r *Report) Facts() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, f := range r.facts() {
			if !yield(f[0], f[1]) {
				return
			}
		}
	}
}

func (r *Report) facts() [][2]string {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	facts := [][2]string{
		{"node", orElse(r.Node, "-")},
		{"cluster", orElse(r.Cluster, "-")},
		{"role", orElse(r.Role, "-")},
		{"leader", orElse(r.Leader, "-")},
		{"ready", strconv.FormatBool(r.NotReady() == "")},
		{"reads", yesOrNo(r.Reads)},
		{"writes", yesOrNo(r.Writes)},
		{"waiting", orElse(r.waits(), "-")},
		{"voter", strconv.FormatBool(r.Voter)},
		{"disk", disk(r.NoSpace)},
		{"term", number(r.Term)},
		{"commit", number(r.Commit)},
		{"applied", number(r.Applied)},
		{"version", r.Version},
		{"memory", strconv.FormatInt(r.State.Memory, 10)},
		{"memory_limit", orElse(bytes(r.State.MemoryLimit), "-")},
		{"evicted", number(r.State.Evicted)},
		{"uptime", strconv.FormatInt(r.Uptime, 10)},
		{"users", strconv.Itoa(r.Users)},
		{"sessions", strconv.Itoa(r.Sessions)},
		{"peer_tls", orElse(r.PeerTLS, "-")},
	}
	for _, text := range r.Notices {
		facts = append(facts, [2]string{"notice", text})
	}
	for _, p := range r.Peers {
		facts = append(facts, [2]string{"peer", peer(p)})
	}
	return facts
}

// bytes returns a number that is there.
func bytes(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func peer(p peerstate.Status) string {
	if p.Reason != "" {
		return p.Name + " - - " + p.Reason
	}
	return fmt.Sprintf("%s %s %d ok", p.Name, p.Role, p.Lag)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func disk(full bool) string {
	if full {
		return "full"
	}
	return "ok"
}

func yesOrNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
