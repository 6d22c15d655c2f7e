package peer

import (
	"net"
	"sync"
)

// The owners of places of connections that have not proved yet which node they are from.
const (
	strangers = ""
	certified = "certified"
)

const (
	// maxHandshakes is how many connections may be in their handshake at a time. Those whose certificate is verified and
	// that have not said yet which node they are from have as many of their own, which no stranger takes.
	maxHandshakes = 64
	// maxConns is how many connections one node may have here. It has a handful, plus for a while those of a
	// machine that died.
	maxConns = 64
)

// places bounds the connections of each owner. When all of an owner's places are taken its oldest connection is
// closed: so a foreign process that takes places and sends nothing keeps a node out only until it reconnects.
type places struct {
	mu     sync.Mutex // all below
	taken  map[string][]net.Conn
	closed bool
}

// take gives conn one of owner's places, of which there are most; false: all is closed.
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

// leave gives up conn's place, if it still has one.
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

// count returns how many connections have places.
func (p *places) count() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conns := range p.taken {
		n += len(conns)
	}
	return n
}

// close ends every connection and gives no more places.
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
