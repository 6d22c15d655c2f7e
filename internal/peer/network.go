package peer

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Network connects this process to other nodes: it knows what this process is, which nodes the file names and where
// each is. It dials them, asks one or all of them, keeps the connections for questions, and listens. All methods
// may be called from any goroutine; Answer and Listen come before the first connection.
type Network struct {
	Self    Identity // this process
	Members Members  // the nodes of the file, this one included
	Book    *Book    // their addresses; nil: one that remembers nothing
	Heard   *Heard   // when each server was last heard of
	// Security is how the connections are protected; nil: not at all. It is set before the first connection.
	Security *Security
	// IsServer reports whether a server is in the configuration: others may only ask what outsiders may. It is set
	// before Listen.
	IsServer func(serverID string) bool

	budget   *Budget // of messages that others have begun to send
	log      hclog.Logger
	answers  map[string]answerer
	listener *Listener // nil: a single node, which needs none

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // of questions, and of replacing connections
	counts counts

	mu      sync.Mutex // protects clients and closed
	clients map[clientKey]*Client
	closed  bool
}

// NewNetwork returns the network as self sees it. It starts nothing.
func NewNetwork(self Identity, members Members, book *Book, log hclog.Logger) *Network {
	n := &Network{
		Self: self, Members: members, Book: book, log: log,
		Heard: newHeard(), budget: NewBudget(MaxUnfinished),
		answers: map[string]answerer{}, IsServer: func(string) bool { return false },
		clients: map[clientKey]*Client{},
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

// Others returns the names of the other nodes of the file, in its order.
func (n *Network) Others() []string { return n.Members.Others(n.Self.Node).Names() }

// Dial connects to a node, by name or server id, and proves what this process is; as Security
// says; see Dial.
func (n *Network) Dial(ctx context.Context, to string, kind Kind) (net.Conn, Identity, error) {
	return n.dial(ctx, n.Self, to, kind)
}

// DialForward connects to the leader for batches of an incarnation of this process.
func (n *Network) DialForward(ctx context.Context, to string, incarnation uint64) (net.Conn, error) {
	self := n.Self
	self.Incarnation = incarnation
	conn, _, err := n.dial(ctx, self, to, KindForward)
	return conn, err
}

func (n *Network) dial(ctx context.Context, self Identity, to string, kind Kind) (net.Conn, Identity, error) {
	address, err := n.Members.Address(to)
	if err != nil {
		return nil, Identity{}, err
	}
	return n.dialler().dial(ctx, address, &hello{kind: kind, from: self, want: to})
}

func (n *Network) dialler() dialler { return dialler{n.Book, n.Security} }

// Connect opens a connection to a node's port and sends nothing: it shows whether a process listens there.
func (n *Network) Connect(ctx context.Context, to string) (net.Conn, error) {
	address, err := n.Members.Address(to)
	if err != nil {
		return nil, err
	}
	return n.Book.Connect(ctx, address)
}

// Reachable returns the servers whose own process answers at their address within limit, in their order. One that
// refuses this process as another process of its server counts as answering, and so does one with which this process
// cannot agree on encryption: whatever else it is, it is there.
func (n *Network) Reachable(ctx context.Context, servers []string, limit time.Duration) []string {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answers := make([]bool, len(servers))
	var wg sync.WaitGroup
	for i, id := range servers {
		wg.Go(func() {
			conn, _, err := n.Dial(ctx, id, KindQuery)
			if err == nil {
				conn.Close()
			}
			var refusal *Refusal
			answers[i] = err == nil || errors.As(err, &refusal) && refusal.Other != nil || disagree(err)
		})
	}
	wg.Wait()
	var there []string
	for i, id := range servers {
		if answers[i] {
			there = append(there, id)
		}
	}
	return there
}

// Reason returns why a node of the file did not answer, in a phrase for people; see Reason.
func (n *Network) Reason(err error, name string, limit time.Duration) string {
	address, _ := n.Members.Address(name) // it is in the file
	return Reason(err, n.Self, name, address, limit)
}

// Incoming returns an Incoming that reads a connection of another node.
func (n *Network) Incoming(conn net.Conn) *Incoming { return NewIncoming(conn, n.budget) }

// clientKey is a node, by name or server id, and the question that the connection is for; empty: all others.
type clientKey struct{ to, question string }

// client returns the connection for a question to a node, or, without one, that for all questions without their own.
func (n *Network) client(to, question string) *Client {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := clientKey{to, question}
	c := n.clients[key]
	if c == nil {
		c = n.newClient(to)
		n.clients[key] = c
	}
	if n.closed {
		c.Close()
	}
	return c
}

// begin counts a question, for which Close waits; false: the network is closed.
func (n *Network) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.wg.Add(1)
	}
	return !n.closed
}

func (n *Network) newClient(to string) *Client {
	c := NewClient(func() string {
		address, _ := n.Members.Address(to) // an empty address fails to dial, and says so
		return address
	}, n.Self, to)
	c.dialler = n.dialler()
	return c
}

// Listen makes l the port for other nodes. Nothing is accepted before Listener.Start. Nodes of the file are
// accepted as far as the rules allow. Questions are answered; the caller sets the handlers of other kinds. From now on,
// until Close, connections that do not fit the mode of Security are replaced.
func (n *Network) Listen(l net.Listener, r Rules) *Listener {
	n.listener = NewListener(l, n.Self, n.Members.Has, n.log)
	n.listener.rules, n.listener.security = r, n.Security
	if n.Security != nil {
		n.wg.Go(func() { n.Security.replace(n.ctx, n.log) })
	}
	n.listener.Handle(KindQuery, n.serveQuestions)
	return n.listener
}

// Close closes the port and every accepted connection, waits for their handlers, and ends all questions. Every
// caller that waits for an answer gets net.ErrClosed.
func (n *Network) Close() error {
	var err error
	if n.listener != nil {
		err = n.listener.Close()
	}
	n.cancel()
	n.mu.Lock()
	n.closed = true
	for _, c := range n.clients {
		c.Close()
	}
	n.mu.Unlock()
	n.wg.Wait()
	return err
}
