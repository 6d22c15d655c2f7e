package peerstate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/peer"
)

const (
	// AllTimeout is how long all others have to say how they are.
	AllTimeout = 500 * time.Millisecond
	// OneTimeout is how long one node has.
	OneTimeout = 500 * time.Millisecond
	// reasonLimit is how much of a reason is shown, in bytes.
	reasonLimit = 300
)

// Status is another node, as last heard of.
type Status struct {
	Name string
	Role string // RoleLeader, RoleFollower, RoleCandidate or RoleReplica
	Lag  uint64 // how many log entries it was behind the leader, or behind this node
	// Reason is why it does not answer, or is no use; empty: it does.
	Reason string

	// Machine is how much memory there is for its process, in bytes (0: not known), and Limits what its file says of
	// limits (nil: not known).
	Machine int64
	Limits  *FileLimits

	ServerID string `json:"-"`
	// OutsideAsOf is what it says of this node; see State.
	OutsideAsOf uint64 `json:"-"`
}

// Peers is what this node has last heard of each other one. Everybody that asks all of them notes it here, so that
// nobody who only wants to know waits. All methods may be called from any goroutine.
type Peers struct {
	network   *peer.Network
	leader    func() string // the leader's server id; empty: none is known
	lastIndex func() uint64 // of this node's log
	log       hclog.Logger

	mu       sync.Mutex // protects all below
	seen     map[string]Status
	refusals map[string]*peer.Refusal // of those that refuse this node
}

// New returns a Peers that has heard of no node yet.
func New(n *peer.Network, leader func() string, lastIndex func() uint64, log hclog.Logger) *Peers {
	return &Peers{network: n, leader: leader, lastIndex: lastIndex, log: log, seen: map[string]Status{}}
}

// AskAll asks all other nodes of the file at once. It returns what they say, by name, and the names of those that
// do not answer, in order; and notes both.
func (p *Peers) AskAll(ctx context.Context) (states map[string]*State, missing []string) {
	lastIndex := p.lastIndex()
	states = map[string]*State{}
	errs := map[string]error{}
	for r := range Question.AskAll(ctx, p.network, p.network.Others(), struct{}{}, AllTimeout) {
		if r.Err == nil {
			states[r.From] = &r.Answer
			continue
		}
		p.log.Debug("no answer", "node", r.From, "error", r.Err)
		errs[r.From], missing = r.Err, append(missing, r.From)
	}
	if ctx.Err() == nil {
		p.note(states, errs, lastIndex)
	}
	slices.Sort(missing)
	return states, missing
}

// Ask asks one node, by name or server id; nil: no answer. Nothing is noted.
func (p *Peers) Ask(ctx context.Context, node string) *State {
	ctx, cancel := context.WithTimeout(ctx, OneTimeout)
	defer cancel()
	s, err := Question.Ask(ctx, p.network, node, struct{}{})
	if err != nil {
		return nil
	}
	return &s
}

// Each asks servers at once, and returns the answers of those that answer within limit.
func (p *Peers) Each(ctx context.Context, servers []string, limit time.Duration) (states []*State) {
	for r := range Question.AskAll(ctx, p.network, servers, struct{}{}, limit) {
		if r.Err == nil {
			states = append(states, &r.Answer)
		}
	}
	return states
}

// note remembers what all others were asked for at once, when this node's log ended with lastIndex.
func (p *Peers) note(states map[string]*State, errs map[string]error, lastIndex uint64) {
	if leader := states[peer.NodeName(p.leader())]; leader != nil {
		lastIndex = max(lastIndex, leader.LastIndex)
	}
	for name, s := range states {
		p.Set(Status{Name: name, ServerID: s.ServerID, OutsideAsOf: s.OutsideAsOf, Role: s.role(), Machine: s.Machine, Limits: s.Limits, Lag: lastIndex - min(lastIndex, s.LastIndex)})
	}
	p.setRefusals(errs)
	for name, err := range errs {
		p.Set(Status{Name: name, Reason: p.network.Reason(err, name, AllTimeout)})
	}
}

// Refusal returns how a node has refused this one when it was asked last; nil: it has not.
func (p *Peers) Refusal(name string) *peer.Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusals[name]
}

func (p *Peers) setRefusals(errs map[string]error) {
	refusals := map[string]*peer.Refusal{}
	for name, err := range errs {
		var r *peer.Refusal
		if errors.As(err, &r) {
			refusals[name] = r
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals = refusals
}

// Set notes what was heard. It may be of any host that answered, and is shown in lines.
func (p *Peers) Set(s Status) {
	if s.Reason != "" {
		s.Reason = OneLine(s.Reason, reasonLimit)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[s.Name] = s
}

// Of returns what is known of a node.
func (p *Peers) Of(name string) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, known := p.seen[name]; known {
		return s
	}
	return Status{Name: name, Reason: "not heard of yet"}
}

// OneLine makes what another host has sent fit to be shown on a line: of printable characters, and at most so many bytes
// long, but for the mark that it was cut.
func OneLine(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// Why lists nodes with the reason of each.
func (p *Peers) Why(names []string) string {
	var parts []string
	for _, name := range names {
		parts = append(parts, name+": "+p.Of(name).Reason)
	}
	return strings.Join(parts, "; ")
}
