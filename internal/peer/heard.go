package peer

import (
	"sync"
	"time"
)

// Heard remembers when this node last heard of each server in any way: an answer to its Raft, a message, a
// question, a batch. One failed dial proves nothing; silence in every direction, to every node, does.
type Heard struct {
	mu    sync.Mutex // protects all below
	begun time.Time  // nothing could be heard before
	last  map[string]time.Time
}

func newHeard() *Heard { return &Heard{begun: time.Now(), last: map[string]time.Time{}} }

// maxHeard is how many servers are remembered. A cluster never has as many, but the names come from unproven
// processes.
const maxHeard = 1000

// Note notes that a server was heard of now.
func (h *Heard) Note(server string) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.last[server]; !known && len(h.last) >= maxHeard {
		clear(h.last)
		h.begun = now
	}
	h.last[server] = now
}

// silence returns for how long nothing was heard.
func (h *Heard) silence(server string) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.last[server]
	if last.Before(h.begun) {
		last = h.begun
	}
	return time.Since(last)
}

// Silence returns how long this node has heard nothing of a server. A process that holds a claim here is asked now.
func (n *Network) Silence(server string) time.Duration {
	if n.listener != nil && n.listener.Claimed(server) {
		n.Heard.Note(server)
	}
	return n.Heard.silence(server)
}
