package peer

import (
	"net"
	"sync"
)

const (
	// maxHandshakes is how many connections may be proving who they are at a time.
	maxHandshakes = 64
	// maxConns is how many connections one node may have here. It has a handful; those of a machine that died
	// are among them for a while.
	maxConns = 64
)

// places bounds the connections of each of a number of owners. When all places of one are taken its oldest
// connection gives way: so whoever takes places and says nothing keeps nobody out for longer than it takes to
// come back.
type places struct {
	mu     sync.Mutex // all below
	taken  map[string][]net.Conn
	closed bool
}

// take gives conn a place of owner's, of which there are most; false: all is closed.
func (p *places) take(owner string, most int, conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if p.taken == nil {
		p.taken = map[string][]net.Conn{}
	}
	conns := p.taken[owner]
	if len(conns) >= most {
		conns[0].Close()
		conns = conns[1:]
	}
	p.taken[owner] = append(conns, conn)
	return true
}

// leave gives up conn's place, if it has one still.
func (p *places) leave(owner string, conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := p.taken[owner]
	for i, c := range conns {
		if c == conn {
			conns = append(conns[:i:i], conns[i+1:]...)
		}
	}
	if p.taken[owner] = conns; len(conns) == 0 {
		delete(p.taken, owner)
	}
}

// close ends every connection, and gives no more places.
func (p *places) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, conns := range p.taken {
		for _, c := range conns {
			c.Close()
		}
	}
}
