package peer

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// A server's process tells every other node which one it is, over a connection that it keeps open as long as it
// runs: its claim. A node that holds a claim believes no other process that says it is that server, such as one
// started on a copy of the directory, unless the first one is gone: its connection has ended, or it does not answer
// on it (a machine that died leaves connections that look alive). So a starting process, which claims its server
// before it does anything as that server, learns of one that runs; and another process cannot displace one that
// runs.

const (
	// claimPing is how long a claim's process has to answer that it is alive.
	claimPing = time.Second
	// claimFresh is how long it is not asked again: hellos may arrive by the thousand.
	claimFresh = time.Second
	// claimSaid is how often it is logged that two processes are one server.
	claimSaid = 10 * time.Second
)

// The messages on a claim, one byte each.
const (
	askAlive = '?'
	sayAlive = '!'
	sayRuns  = 'r' // until then it is starting
)

// claims are those that other processes hold here.
type claims struct {
	log hclog.Logger

	mu   sync.Mutex // all below
	held map[string]*claim
	// old has the connections of the previous release, which has no claims, and their hosts.
	old  map[string]map[net.Conn]string
	said map[string]time.Time // when a conflict over a server was logged
}

// claim is one process's claim.
type claim struct {
	conn  net.Conn
	nonce string
	ended chan struct{} // closed when the connection has

	asking sync.Mutex // one question at a time

	mu    sync.Mutex // all below
	runs  bool
	heard time.Time     // when it was last known to be alive
	alive chan struct{} // signalled by each answer
	mute  bool          // it did not answer
}

func newClaims(log hclog.Logger) *claims {
	return &claims{log: log, held: map[string]*claim{}, old: map[string]map[net.Conn]string{}, said: map[string]time.Time{}}
}

func (c *claims) holder(id string) *claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held[id]
}

// other returns another live process than from that is the server; nil: there is none.
func (c *claims) other(from Identity, address net.Addr) *Other {
	other := c.otherClaim(from)
	if other == nil && from.Nonce != "" {
		other = c.otherOld(from.ServerID, hostOf(address))
	}
	if other != nil {
		c.say(from.ServerID, other.Address, address.String())
	}
	return other
}

func (c *claims) otherClaim(from Identity) *Other {
	h := c.holder(from.ServerID)
	if h == nil || h.nonce == from.Nonce || !h.lives() {
		return nil
	}
	return h.other()
}

// otherOld returns a process of the previous release that is the server, on another host. One on the same host is
// this node's earlier process.
func (c *claims) otherOld(id, host string) *Other {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, of := range c.old[id] {
		if of != host {
			return &Other{Address: conn.RemoteAddr().String(), Runs: true}
		}
	}
	return nil
}

// noteOld notes a connection of the previous release until forget is called.
func (c *claims) noteOld(id string, conn net.Conn) (forget func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.old[id] == nil {
		c.old[id] = map[net.Conn]string{}
	}
	c.old[id][conn] = hostOf(conn.RemoteAddr())
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if delete(c.old[id], conn); len(c.old[id]) == 0 {
			delete(c.old, id)
		}
	}
}

func hostOf(address net.Addr) string {
	host, _, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	return host
}

func (c *claims) say(id, first, second string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.said[id]) < claimSaid {
		return
	}
	if len(c.said) > 1000 {
		clear(c.said)
	}
	c.said[id] = time.Now()
	c.log.Error("two processes say that they are one server: one of them runs on a copy of the other's data directory; the first is believed",
		"server", id, "first", first, "second", second)
}

// proven reports whether from is the process that holds the claim of its server.
func (c *claims) proven(from Identity) bool {
	h := c.holder(from.ServerID)
	return h != nil && from.Nonce != "" && h.nonce == from.Nonce
}

// take gives the process that greeted the claim of its server, before it is told so: whoever is welcomed has it. Else
// it returns the process that took it since it was looked for.
func (c *claims) take(conn net.Conn, h *hello) (*claim, *Other) {
	mine := &claim{conn: conn, nonce: h.from.Nonce, runs: h.runs, heard: time.Now(), ended: make(chan struct{}), alive: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.held[h.from.ServerID]; old != nil && old.nonce != mine.nonce && !old.gone() {
		return nil, old.other()
	}
	c.held[h.from.ServerID] = mine
	return mine, nil
}

// drop ends a claim; the process may have made it again over another connection.
func (c *claims) drop(id string, mine *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[id] == mine {
		delete(c.held, id)
	}
	close(mine.ended)
}

// listen reads what the process says on its claim.
func (c *claim) listen() {
	b := make([]byte, 1)
	for {
		if _, err := io.ReadFull(c.conn, b); err != nil {
			return
		}
		c.mu.Lock()
		c.heard = time.Now()
		c.runs = c.runs || b[0] == sayRuns
		c.mu.Unlock()
		select {
		case c.alive <- struct{}{}:
		default:
		}
	}
}

func (c *claim) other() *Other {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &Other{Address: c.conn.RemoteAddr().String(), Nonce: c.nonce, Runs: c.runs}
}

func (c *claim) gone() bool {
	select {
	case <-c.ended:
		return true
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mute
}

func (c *claim) fresh() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.heard) < claimFresh
}

// lives asks the process on its claim whether it is alive; a claim that is not answered ends.
func (c *claim) lives() bool {
	c.asking.Lock()
	defer c.asking.Unlock()
	// What was heard earlier may have been its last message.
	if c.gone() {
		return false
	}
	if c.fresh() {
		return true
	}
	select {
	case <-c.alive: // an earlier answer
	default:
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(claimPing))
	if _, err := c.conn.Write([]byte{askAlive}); err == nil {
		select {
		case <-c.alive:
			return true
		case <-c.ended:
			return false
		case <-time.After(claimPing):
		}
	}
	c.mu.Lock()
	c.mute = true
	c.mu.Unlock()
	c.conn.Close()
	return false
}
