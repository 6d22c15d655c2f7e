package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/clock"
	"ciderd/internal/diskspace"
	"ciderd/internal/fsm"
	"ciderd/internal/membership"
	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
	"ciderd/internal/storage"
	"ciderd/test/harness"
)

// testCluster is a cluster in one process: real raft.db files, real TCP on loopback.
type testCluster struct {
	t        *testing.T
	dir      string
	members  peer.Members
	mu       sync.Mutex
	nodes    map[string]*Node
	uid      uint64
	full     sync.Map               // names of nodes whose disks are full, and the bytes left
	draining sync.Map               // names of nodes that are taken out of traffic
	ending   sync.Map               // names of nodes that are to end, each with a chan error for why
	sources  map[string]*fakeSource // clocks that a test moves; nil: the machine's
	links    map[[2]string]*link    // from one node to another, by names; nil: no links between
	timing   Timing
	polls    Polls
	raftLog  map[string]hclog.Logger // of some nodes
	// membersFor is the file of some nodes, where it is not everybody's.
	membersFor map[string]peer.Members
	lookup     peer.Lookup // nil: the machine's
	security   map[string]*peer.Security
}

// fakeSource is the machine's clocks, moved.
type fakeSource struct {
	start      time.Time
	mono, wall atomic.Int64 // by how much, in milliseconds
}

func (s *fakeSource) Monotonic() time.Duration {
	return time.Since(s.start) + time.Duration(s.mono.Load())*time.Millisecond
}

func (s *fakeSource) Wall() int64 {
	return time.Now().UnixMilli() + s.mono.Load() + s.wall.Load()
}

// moveClocks makes the tests' clocks movable; before the first start.
func (c *testCluster) moveClocks() {
	c.sources = map[string]*fakeSource{}
	for _, m := range c.members {
		c.sources[m.Name] = &fakeSource{start: time.Now()}
	}
}

// fill makes the disks of these nodes nearly full, and no others'.
func (c *testCluster) fill(names ...string) {
	c.full.Clear()
	for _, name := range names {
		c.full.Store(name, uint64(diskspace.Reserve/2))
	}
}

// advance lets time pass on all nodes.
func (c *testCluster) advance(d time.Duration) {
	for _, s := range c.sources {
		s.mono.Add(d.Milliseconds())
	}
}

// smallJournal is Config.JournalSize of all nodes of tests: with hundreds of them, the usual size would take most of a
// minute to write out.
const smallJournal = 256 << 10

// patience is how long a condition may take on a machine that does much else.
const patience = 2 * time.Minute

func newTestCluster(t *testing.T, size int) *testCluster {
	c := &testCluster{t: t, dir: t.TempDir(), nodes: map[string]*Node{}, polls: DefaultPolls}
	for i := range size {
		address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
		c.members = append(c.members, peer.Member{Name: fmt.Sprintf("n%d", i+1), Address: address})
	}
	t.Cleanup(c.stopAll)
	return c
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	var l net.Listener
	eventually(t, "listen on "+address, func() bool {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	})
	return l
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func (c *testCluster) start(name string) *Node {
	c.t.Helper()
	n, err := Open(c.config(name))
	if err != nil {
		c.t.Fatalf("open %s: %v", name, err)
	}
	c.add(n)
	return n
}

func (c *testCluster) add(n *Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[n.config.Node] = n
}

func (c *testCluster) config(name string) Config {
	c.t.Helper()
	level := hclog.Error
	if os.Getenv("CIDERD_TEST_LOG") != "" {
		level = hclog.Debug
	}
	config := Config{
		Cluster: "test", Node: name, Members: c.membersOf(name), Timing: c.timing, Polls: c.polls, JournalSize: smallJournal, RaftLog: c.raftLog[name], DataDir: filepath.Join(c.dir, name),
		Log:      hclog.New(&hclog.LoggerOptions{Name: name, Level: level, Output: os.Stderr}),
		Draining: func() bool { _, is := c.draining.Load(name); return is },
		Fatal:    func(err error) { c.died(name, err) }, Lookup: c.lookup, PeerSecurity: c.security[name],
		FreeSpace: func() (uint64, error) {
			if free, full := c.full.Load(name); full {
				return free.(uint64), nil
			}
			return 1 << 40, nil
		},
	}
	if c.sources != nil {
		config.Clock = clock.New(c.sources[name])
	}
	for _, m := range c.members {
		if m.Name == name && len(c.members) > 1 {
			config.Listener = listen(c.t, m.Address)
		}
	}
	return config
}

// refusedStart starts a node whose directory must be refused, and returns why it was.
func (c *testCluster) refusedStart(name string) error {
	c.t.Helper()
	config := c.config(name)
	n, err := Open(config)
	if err == nil {
		c.t.Fatalf("%s starts", n.raft.self)
	}
	if config.Listener != nil {
		config.Listener.Close()
	}
	return err
}

// startEnding starts a node that is to end by itself, and returns what tells why it did.
func (c *testCluster) startEnding(name string) (*Node, <-chan error) {
	c.t.Helper()
	why := make(chan error, 1)
	c.ending.Store(name, why)
	return c.start(name), why
}

// wantEnd waits until a node has ended by itself, and wants it to say why.
func wantEnd(t *testing.T, ended <-chan error, why error) {
	t.Helper()
	select {
	case err := <-ended:
		if !errors.Is(err, why) {
			t.Errorf("it ended with %v, want %v", err, why)
		}
	case <-time.After(patience):
		t.Fatalf("it goes on, want %v", why)
	}
}

func (c *testCluster) died(name string, err error) {
	why, expected := c.ending.Load(name)
	if !expected {
		c.t.Errorf("%s: fatal: %v", name, err)
		return
	}
	select {
	case why.(chan error) <- err:
	default:
	}
}

func (c *testCluster) startAll() {
	c.t.Helper()
	for _, m := range c.members {
		c.start(m.Name)
	}
	for name, n := range c.nodes {
		eventually(c.t, name+" ready", n.Ready)
	}
}

// quiet is a timing with which nothing happens that a test does not bring about: no silence is taken
// for death, and only heartbeats, which say nothing of the log, are sent by themselves.
var quiet = Timing{Heartbeat: 2 * patience, Election: 2 * patience, Lease: 2 * patience, Commit: 20 * patience}

// startAllQuiet starts all nodes and makes the first one that has formed the cluster the leader: with a
// quiet timing none becomes that by itself.
func (c *testCluster) startAllQuiet() (leader *Node) {
	c.t.Helper()
	for _, m := range c.members {
		c.start(m.Name)
	}
	eventually(c.t, "a cluster", func() bool {
		for _, n := range c.nodes {
			if len(n.raft.Servers()) == len(c.members) {
				leader = n
			}
		}
		return leader != nil
	})
	leader.campaigner.campaign("")
	eventually(c.t, "the leader ready", leader.Ready)
	c.user(leader) // whose commit is told at once, unlike those of a leader's first entries
	for name, n := range c.nodes {
		eventually(c.t, name+" ready", n.Ready)
	}
	return leader
}

func (c *testCluster) stop(name string) {
	c.t.Helper()
	c.mu.Lock()
	n := c.nodes[name]
	delete(c.nodes, name)
	c.mu.Unlock()
	if n == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := n.Close(ctx); err != nil {
		c.t.Errorf("close %s: %v", name, err)
	}
}

func (c *testCluster) stopAll() {
	for _, m := range c.members {
		c.stop(m.Name)
	}
}

// leader waits for a leader among the running nodes that the others agree on.
func (c *testCluster) leader() *Node {
	c.t.Helper()
	var leader *Node
	eventually(c.t, "a leader", func() bool {
		leader = nil
		for _, n := range c.nodes {
			if n.Status().Role == "leader" {
				leader = n
			}
		}
		if leader == nil {
			return false
		}
		for _, n := range c.nodes {
			if n.Status().Leader != leader.config.Node {
				return false
			}
		}
		return true
	})
	return leader
}

func (c *testCluster) followers() []*Node {
	leader := c.leader()
	var rest []*Node
	for _, m := range c.members {
		if n := c.nodes[m.Name]; n != nil && n != leader {
			rest = append(rest, n)
		}
	}
	return rest
}

// user makes the user that the tests write as.
func (c *testCluster) user(n *Node) uint64 {
	c.t.Helper()
	if c.uid == 0 {
		r := c.do(n, &fsm.Command{Op: fsm.OpSignup, Name: []byte("alice"), Value: []byte("hash")})
		if r.Kind != fsm.KindUser {
			c.t.Fatalf("signup: %v", r)
		}
		c.uid = uint64(r.N)
	}
	return c.uid
}

func (c *testCluster) do(n *Node, cmd *fsm.Command) fsm.Result {
	c.t.Helper()
	results, err := n.Propose(fsm.NewGroup(*cmd), patience).Wait()
	if err != nil {
		c.t.Fatalf("propose on %s: %v", n.config.Node, err)
	}
	return results[0]
}

func (c *testCluster) set(n *Node, key, value string) {
	c.t.Helper()
	uid := c.user(n)
	r := c.do(n, &fsm.Command{Op: fsm.OpSet, User: uid, Key: []byte(key), Value: []byte(value)})
	if r.Kind != fsm.KindOK {
		c.t.Fatalf("set on %s: %v", n.config.Node, r)
	}
}

func (c *testCluster) get(n *Node, key string) string {
	ks := n.FSM().Reader(c.uid).Keyspace()
	if ks == nil {
		return ""
	}
	item, _ := ks.Get([]byte(key), n.Clock().Now())
	return string(item.Value)
}

// settle waits until all running nodes have applied the same.
func (c *testCluster) settle() {
	c.t.Helper()
	for _, n := range c.nodes {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := n.Sync(ctx); err != nil {
			c.t.Fatalf("sync %s: %v", n.config.Node, err)
		}
		cancel()
	}
	eventually(c.t, "equal applied indexes", func() bool {
		indexes := map[uint64]bool{}
		for _, n := range c.nodes {
			indexes[n.FSM().Applied()] = true
		}
		return len(indexes) == 1
	})
}

// testNetwork is the network of a process that is no node.
func testNetwork(self peer.Identity, members peer.Members) *peer.Network {
	return peer.NewNetwork(self, members, nil, hclog.NewNullLogger())
}

// madeNode is a node of a storage that the test has changed, not started.
func madeNode(t *testing.T, c Config, st *storage.Storage) *Node {
	t.Helper()
	book, err := membership.OpenBook(st, c.Members, c.Lookup)
	if err != nil {
		t.Fatal(err)
	}
	return newNode(c, st, book)
}

// recoveredAt is when the node's cluster was last recovered; 0: never.
func (n *Node) recoveredAt() int64 {
	ms, err := n.storage.Notes().Recovered()
	if err != nil {
		panic(err)
	}
	return ms
}

// seen is the servers that a node has seen, by name.
func (n *Node) seen() map[string]string {
	s, err := peerstate.Question.Ask(context.Background(), n.network, n.raft.self, struct{}{})
	if err != nil {
		panic(err)
	}
	return s.View
}

// remove has a leader take a server out.
func (c *testCluster) remove(leader *Node, id string) {
	c.t.Helper()
	if _, err := leader.membership.Change(c.t.Context(), membership.OpRemove, peer.NodeName(id), true); err != nil {
		c.t.Fatal(err)
	}
}
