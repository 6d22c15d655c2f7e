package conversations

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// The files that every test run plays, and those that need broken nodes or more
// than some seconds: see faultsToo.
const (
	conversationsDir = "."
	faultsDir        = "faults"
)

// Where each file is played.
const (
	onOneNode  = "one node"
	onLeader   = "leader of three"
	onFollower = "follower of three"
)

// TestConversations plays every file against one node, against the leader of
// three and against a follower of three. Files see no difference. Together they
// must have met every error code and every command: see met.
func TestConversations(t *testing.T) {
	heard := map[string]*met{onOneNode: newMet(), onLeader: newMet(), onFollower: newMet()}
	t.Run("play", func(t *testing.T) {
		groups := groupsOf(loadConversations(t, conversationsDir))
		if faultsToo {
			groups = append(groups, groupsOf(loadConversations(t, faultsDir))...)
		}
		for _, g := range groups {
			t.Run(g.name(), func(t *testing.T) {
				t.Parallel() // they mostly wait
				g.play(t, heard)
			})
		}
	})
	if everythingRan(t) {
		checkMet(t, heard)
	}
}

// A group is the scripts that share clusters.
type group struct {
	config, disk string
	scripts      map[string]convFile
	alone        bool // one script at a time
}

// groupsOf puts the scripts that need the same cluster together.
func groupsOf(all map[string]convFile) []group {
	groups := make(map[[2]string]group)
	for name, s := range all {
		key := [2]string{s.config, s.disk}
		g, ok := groups[key]
		if !ok {
			g = group{config: s.config, disk: s.disk, scripts: make(map[string]convFile)}
		}
		g.scripts[name] = s
		g.alone = g.alone || s.acts() || s.config != ""
		groups[key] = g
	}
	list := slices.Collect(maps.Values(groups))
	slices.SortFunc(list, func(a, b group) int { return strings.Compare(a.name(), b.name()) })
	return list
}

// names gives the scripts in order.
func (g group) names() []string { return slices.Sorted(maps.Keys(g.scripts)) }

func (g group) name() string {
	names := g.names()
	if len(names) > 3 {
		return "all others"
	}
	return strings.Join(names, " ")
}

// play runs the group's scripts on each topology.
func (g group) play(t *testing.T, heard map[string]*met) {
	for _, s := range g.scripts {
		if s.hangs() {
			harness.Need(t, "strace")
		}
	}
	t.Run(onOneNode, func(t *testing.T) { g.playOn(t, g.start(t, 1), onOneNode, heard[onOneNode]) })
	if testing.Short() {
		return
	}
	c := g.start(t, 3)
	for _, topology := range []string{onLeader, onFollower} {
		t.Run(topology, func(t *testing.T) { g.playOn(t, c, topology, heard[topology]) })
		if g.alone && t.Failed() {
			return // its nodes may be in any state
		}
	}
}

// start makes a cluster for the group. The group's configuration may close doors
// that the harness needs to get in, so nodes are started without it first.
func (g group) start(t *testing.T, nodes int) *harness.Cluster {
	t.Helper()
	c := harness.New(t, harness.Options{Nodes: nodes})
	start := func() {
		for _, n := range c.Nodes {
			n.Start()
		}
		c.WaitReady()
	}
	if g.disk != "" {
		for _, n := range c.Nodes {
			n.SmallDisk(g.disk)
		}
	}
	start()
	if g.config != "" {
		for _, n := range c.Nodes {
			n.Kill()
		}
		c.WriteConfig(g.config)
		start()
	}
	return c
}

// playOn runs the scripts on a cluster that is ready.
func (g group) playOn(t *testing.T, c *harness.Cluster, topology string, heard *met) {
	nodes := inOrder(c, topology)
	for _, name := range g.names() {
		s := g.scripts[name]
		if s.cluster && topology == onOneNode {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if g.alone {
				nodes = inOrder(c, topology)
			} else {
				t.Parallel()
			}
			if err := runConversation(s.steps, nodes, heard, harness.Unique()); err != nil {
				t.Errorf("%s.txt: %v", name, err)
			}
			if s.acts() {
				c.WaitReady() // whoever was the leader
			}
		})
		if g.alone && t.Failed() {
			return
		}
	}
}

// inOrder gives the nodes of a cluster with the one under test in front.
func inOrder(c *harness.Cluster, topology string) []*harness.Node {
	if topology == onOneNode {
		return c.Nodes
	}
	leader := c.Leader()
	others := c.Followers(leader)
	if topology == onLeader {
		return append([]*harness.Node{leader}, others...)
	}
	return []*harness.Node{others[0], leader, others[1]}
}
