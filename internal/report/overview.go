package report

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"ciderd/internal/peerstate"
)

// The verdicts.
const (
	Healthy  = "HEALTHY"
	Degraded = "DEGRADED"
	NoQuorum = "NO QUORUM"
)

// Overview is how the whole cluster is, as one node finds when it asks all others.
type Overview struct {
	Verdict  string
	Sentence string // what it begins with, for people
	Asked    string // the node that found this
	Leads    string // the node that leads; empty: none does
	Findings []Finding
	Nodes    []NodeView // of the configuration, in order
}

// Full is all that a node knows: of itself, and of the cluster.
type Full struct {
	Report
	Overview Overview
}

// Full returns that. It asks all other nodes, a second at most.
func (s *Source) Full(ctx context.Context) Full {
	return Full{s.Report(), s.Overview(ctx)}
}

// NodeView is one node, as it says itself.
type NodeView struct {
	Name    string
	Own     *Own   // nil: it did not say, see Reason
	Reason  string // why it does not answer, or not say
	Lag     uint64 // log entries that it is behind the one that has most
	Skew    int64  // milliseconds by which its clock is ahead of the asking node's
	Address string // of its peer port, as configured
}

// Said is what another node answered when it was asked for its Own.
type Said struct {
	Name, Address string
	Text          json.RawMessage // nil: nothing, for the reason
	Reason        string
	Took          time.Duration
}

// Overview asks all other nodes, a second at most, and judges what they say.
func (s *Source) Overview(ctx context.Context) Overview {
	own := s.Own()
	nodes := []NodeView{{Name: own.Node, Own: &own}}
	for _, said := range s.Others(ctx) {
		nodes = append(nodes, view(said))
	}
	slices.SortFunc(nodes, func(a, b NodeView) int { return strings.Compare(a.Name, b.Name) })
	return judge(own.Node, nodes)
}

func view(said Said) NodeView {
	v := NodeView{Name: said.Name, Address: said.Address, Reason: said.Reason}
	if v.Reason != "" {
		return v
	}
	o := &Own{}
	if err := json.Unmarshal(said.Text, o); err != nil {
		v.Reason = "its answer makes no sense: " + err.Error()
		return v
	}
	o.clean()
	v.Own = o
	v.Skew = o.Wall - time.Now().Add(-said.Took/2).UnixMilli()
	return v
}

// clean makes what a node has sent fit to be shown: any host may have sent it.
func (o *Own) clean() {
	for _, text := range []*string{&o.Node, &o.Version, &o.Address, &o.Role, &o.Leader, &o.NotReady, &o.NotWritable, &o.BackupOn} {
		*text = printable(*text)
	}
	for i := range o.Notices {
		o.Notices[i] = printable(o.Notices[i])
	}
	for key, text := range o.Settings {
		o.Settings[key] = printable(text)
	}
	expires := map[string]int64{}
	for file, at := range o.Expires {
		expires[printable(file)] = at
	}
	o.Expires = expires
}

// mostShown is how much of a text is shown, in bytes.
const mostShown = 400

func printable(text string) string { return peerstate.OneLine(text, mostShown) }

// judge makes an overview of what nodes say.
func judge(asked string, nodes []NodeView) Overview {
	o := Overview{Asked: asked, Nodes: nodes}
	applied := uint64(0)
	for _, n := range nodes {
		if n.Own != nil {
			applied = max(applied, n.Own.Applied)
		}
	}
	for i := range nodes {
		if n := &nodes[i]; n.Own != nil {
			n.Lag = applied - n.Own.Applied
		}
	}
	o.Leads = o.leader()
	o.Findings = findings(&o)
	o.Verdict, o.Sentence = Healthy, o.allWell()
	if len(o.Findings) > 0 && o.Findings[0].Severity != Advice {
		o.Verdict, o.Sentence = Degraded, o.Findings[0].What
		if o.Findings[0].Severity == Critical {
			o.Verdict = NoQuorum
		}
	}
	return o
}

// leader returns the name of the node that leads by the word of those who answer; empty: none does. One of an older
// release cannot say so itself.
func (o *Overview) leader() string {
	for _, n := range o.Nodes {
		if n.Own != nil && n.Own.Leader == n.Name && n.Own.NotWritable == "" {
			return n.Name
		}
	}
	for _, n := range o.Nodes {
		if n.Own == nil && n.Reason == OlderRelease && o.follow(n.Name) {
			return n.Name
		}
	}
	return ""
}

// follow reports whether a node that answers takes writes, by way of that leader.
func (o *Overview) follow(leader string) bool {
	return slices.ContainsFunc(o.Nodes, func(n NodeView) bool {
		return n.Own != nil && n.Own.Leader == leader && n.Own.NotWritable == ""
	})
}

// own returns what the node says that was asked.
func (o *Overview) own() *Own {
	for _, n := range o.Nodes {
		if n.Name == o.Asked {
			return n.Own
		}
	}
	return &Own{}
}

func (o *Overview) allWell() string {
	if len(o.Nodes) == 1 {
		return "one node serves reads and takes writes"
	}
	return "all " + Plural(len(o.Nodes), "node") + " serve reads and take writes; " + o.Leads + " leads"
}
