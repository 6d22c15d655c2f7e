package cluster

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"ciderd/internal/peer"
)

// link is the way from one node to another: whatever the one dials of the other goes through it, and a
// test can hold back what it likes of it. What is held keeps back what comes behind it on the same
// connection, and on no other.
type link struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu      sync.Mutex // all below
	changed *sync.Cond
	holds   func(*flow) bool // nil: nothing is held
	passing map[*flow]bool   // whether it is held
	count   int              // of flows so far
	conns   map[net.Conn]bool
	closed  bool
}

// flow is some bytes on their way over a link: what one Read brought.
type flow struct {
	reply bool      // to the node that dialled
	kind  peer.Kind // of the connection
	bytes []byte
	nth   int // of the link, from 0
	place int // in its direction of its connection, from 0; the hello is the first two
}

func newLink(t *testing.T, target string) *link {
	l := &link{listener: listen(t, "127.0.0.1:0"), target: target, passing: map[*flow]bool{}, conns: map[net.Conn]bool{}}
	l.changed = sync.NewCond(&l.mu)
	l.wg.Go(func() {
		for {
			conn, err := l.listener.Accept()
			if err != nil {
				return
			}
			l.wg.Go(func() { l.carry(conn) })
		}
	})
	return l
}

// carry serves one connection until either side ends it.
func (l *link) carry(dialler net.Conn) {
	defer dialler.Close()
	target, err := net.DialTimeout("tcp", l.target, time.Second)
	if err != nil {
		return
	}
	defer target.Close()
	if !l.track(dialler, target) {
		return
	}
	hello := make([]byte, len(helloMagic)+1)
	if _, err := io.ReadFull(dialler, hello); err != nil {
		return
	}
	kind := peer.Kind(hello[len(helloMagic)])
	var wg sync.WaitGroup
	wg.Go(func() { l.pump(target, io.MultiReader(bytes.NewReader(hello), dialler), flow{kind: kind}) })
	wg.Go(func() { l.pump(dialler, target, flow{kind: kind, reply: true}) })
	wg.Wait()
}

// helloMagic is what each connection between nodes begins with; its kind is the next byte.
const helloMagic = "CIDERPEER\x02"

func (l *link) track(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.conns[c] = true
	}
	return !l.closed
}

func (l *link) pump(to net.Conn, from io.Reader, like flow) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for place := 0; ; {
		n, err := from.Read(buf)
		if n > 0 {
			f := like
			f.bytes, f.place = buf[:n], place
			place++
			if !l.pass(&f) {
				return
			}
			if _, err := to.Write(f.bytes); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass returns when f may go on; false: the link is closed.
func (l *link) pass(f *flow) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.nth = l.count
	l.count++
	for !l.closed && l.holds != nil && l.holds(f) {
		l.passing[f] = true
		l.changed.Wait()
	}
	delete(l.passing, f)
	return !l.closed
}

// hold sets what is held from now on; nil: nothing, and what was held goes on.
func (l *link) hold(holds func(*flow) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holds = holds
	l.changed.Broadcast()
}

// held counts what is held now and like is true of.
func (l *link) held(like func(*flow) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for f := range l.passing {
		if like(f) {
			n++
		}
	}
	return n
}

// seen is how many flows have come so far; those that come have this number, and higher ones.
func (l *link) seen() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

func (l *link) close() {
	l.listener.Close()
	l.mu.Lock()
	l.closed = true
	for c := range l.conns {
		c.Close()
	}
	l.changed.Broadcast()
	l.mu.Unlock()
	l.wg.Wait()
}

// linkAll puts a link between any two nodes; before the first start.
func (c *testCluster) linkAll() {
	c.links = map[[2]string]*link{}
	for _, from := range c.members {
		for _, to := range c.members {
			if from != to {
				l := newLink(c.t, to.Address)
				c.t.Cleanup(l.close)
				c.links[[2]string{from.Name, to.Name}] = l
			}
		}
	}
	c.t.Cleanup(c.stopAll) // while the links are there
}

func (c *testCluster) link(from, to *Node) *link {
	return c.links[[2]string{from.config.Node, to.config.Node}]
}

// membersOf is where the node of that name looks for the others.
func (c *testCluster) membersOf(name string) peer.Members {
	if own := c.membersFor[name]; own != nil {
		return own
	}
	list := append(peer.Members(nil), c.members...)
	for i, m := range list {
		if l := c.links[[2]string{name, m.Name}]; l != nil {
			list[i].Address = l.listener.Addr().String()
		}
	}
	return list
}
