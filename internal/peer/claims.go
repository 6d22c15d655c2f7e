package peer

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// A server's process says to every other node which one it is, over a connection that it keeps open for as long as
// it runs: its claim. Who has heard a claim believes no other process that says it is that server, one that was
// started on a copy of the directory, say, unless the first one is gone: its connection has ended, or nothing comes
// back when it is asked along it (a machine that died leaves connections that look alive). So a process that starts,
// and claims its server before it does anything as that, learns of one that runs; and one that runs is put out by
// nobody.

const (
	// claimPing is how long a claim's process has for saying that it is there.
	claimPing = time.Second
	// claimFresh is for how long it is not asked again: hellos may come by the thousand.
	claimFresh = time.Second
	// claimSaid is how often it is said that two processes are one server.
	claimSaid = 10 * time.Second
)

// What is said along a claim, a byte each.
const (
	askAlive = '?'
	sayAlive = '!'
	sayRuns  = 'r' // until then it is starting
)

// claims are those that others hold here.
type claims struct {
	log hclog.Logger

	mu   sync.Mutex // all below
	held map[string]*claim
	// old has the connections of the release before, which claims nothing, and the hosts that they are from.
	old  map[string]map[net.Conn]string
	said map[string]time.Time // when a conflict over a server was logged
}

// claim is one process's.
type claim struct {
	conn  net.Conn
	nonce string
	ended chan struct{} // closed when the connection has

	asking sync.Mutex // one question at a time

	mu    sync.Mutex // all below
	runs  bool
	heard time.Time     // when it last was known to be there
	alive chan struct{} // signalled by each answer
}

func newClaims(log hclog.Logger) *claims {
	return &claims{log: log, held: map[string]*claim{}, old: map[string]map[net.Conn]string{}, said: map[string]time.Time{}}
}

func (c *claims) holder(id string) *claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held[id]
}

// other is the process that is a server, if that is not from and it lives; nil: there is none.
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
	h.mu.Lock()
	defer h.mu.Unlock()
	return &Other{Address: h.conn.RemoteAddr().String(), Nonce: h.nonce, Runs: h.runs}
}

// otherOld is a process of the release before that is the server, on another host: on the same one it is what
// was there before.
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

// noteOld takes down a connection of the release before until forget is called.
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

// proven tells whether from is the process that holds the claim of its server.
func (c *claims) proven(from Identity) bool {
	h := c.holder(from.ServerID)
	return h != nil && from.Nonce != "" && h.nonce == from.Nonce
}

// serve holds a claim for as long as its connection is open. Between the look for another one and now one may have
// come: the first has it.
func (c *claims) serve(conn net.Conn, h *hello) {
	mine := &claim{conn: conn, nonce: h.from.Nonce, runs: h.runs, heard: time.Now(), ended: make(chan struct{}), alive: make(chan struct{}, 1)}
	defer close(mine.ended)
	c.mu.Lock()
	old := c.held[h.from.ServerID]
	if old != nil && old.nonce != mine.nonce && !old.gone() {
		c.mu.Unlock()
		return
	}
	c.held[h.from.ServerID] = mine
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.held[h.from.ServerID] == mine {
			delete(c.held, h.from.ServerID)
		}
	}()
	mine.listen()
}

// listen hears what the process says along its claim.
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

func (c *claim) gone() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

func (c *claim) fresh() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.heard) < claimFresh
}

// lives asks the process along its claim whether it is there; a claim that is not answered ends.
func (c *claim) lives() bool {
	c.asking.Lock()
	defer c.asking.Unlock()
	// What was heard before may have been the last of it.
	if c.gone() {
		return false
	}
	if c.fresh() {
		return true
	}
	select {
	case <-c.alive: // of before
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
	c.conn.Close()
	return false
}
