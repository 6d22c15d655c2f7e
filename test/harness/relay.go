package harness

import (
	"io"
	"net"
	"strconv"
	"sync"
)

// Relay stands before a node's peer port: what other nodes send to the node, and what it answers them, goes through it.
// What the node sends to others does not.
type Relay struct {
	to       string
	listener net.Listener

	mu     sync.Mutex // protects all below
	healed *sync.Cond // of mu
	cut    bool
	conns  map[net.Conn]bool
	closed bool
}

// RelayPeers has the file name n.Relay as the node's address, from the next WriteConfig on, until the end of the test.
func (n *Node) RelayPeers() {
	n.t.Helper()
	port := FreePort(n.t)
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		n.t.Fatal(err)
	}
	r := &Relay{to: n.Peer(), listener: listener, conns: map[net.Conn]bool{}}
	r.healed = sync.NewCond(&r.mu)
	n.Relay, n.reached = r, port
	go r.accept()
	n.t.Cleanup(r.close)
}

func (r *Relay) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		go r.serve(conn)
	}
}

// Cut lets nothing through, and tells nobody: as a firewall that drops packets.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = true
}

// Heal ends that. Connections of before are broken, as hosts that have given up would find them.
func (r *Relay) Heal() {
	r.mu.Lock()
	r.cut = false
	r.healed.Broadcast()
	r.mu.Unlock()
	r.Break()
}

// Break breaks all connections; new ones are served.
func (r *Relay) Break() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.conns {
		_ = conn.Close()
	}
}

func (r *Relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	r.closed, r.cut = true, false
	r.healed.Broadcast()
	r.mu.Unlock()
	r.Break()
}

// pass waits while the relay is cut, and then notes or forgets a connection; false: it is over.
func (r *Relay) pass(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.cut {
		r.healed.Wait()
	}
	if r.closed {
		return false
	}
	if conn != nil {
		r.conns[conn] = true
	}
	return true
}

func (r *Relay) forget(conn net.Conn) {
	_ = conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, conn)
}

func (r *Relay) serve(from net.Conn) {
	defer r.forget(from)
	if !r.pass(from) {
		return
	}
	to, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer r.forget(to)
	if !r.pass(to) {
		return
	}
	var both sync.WaitGroup
	for _, way := range [2][2]net.Conn{{to, from}, {from, to}} {
		both.Go(func() {
			_, _ = io.Copy(gate{way[0], r}, way[1])
			_ = way[0].Close() // the end of one way is the end of both: nodes do not close half
			_ = way[1].Close()
		})
	}
	both.Wait()
}

// gate is one end of a connection, to write to.
type gate struct {
	to net.Conn
	r  *Relay
}

func (g gate) Write(p []byte) (int, error) {
	if !g.r.pass(nil) {
		return 0, net.ErrClosed
	}
	return g.to.Write(p)
}
