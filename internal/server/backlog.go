package server

import "sync"

// backlog counts the replies that clients have not taken yet, of all clients. Only a client that takes nothing at
// present is in it, so one that reads costs nothing here. When all together exceed the limit, the user whose
// clients hold most loses its client that holds most, until they no longer do: many connections that hold little
// each do not cost another user's connection.
type backlog struct {
	mu    sync.Mutex // all below
	limit int64      // bytes
	held  map[*client]holding
	users map[owner]int64
	total int64
}

// holding is what is held for a client, and the owner that it is charged to.
type holding struct {
	owner owner
	bytes int64
}

func newBacklog() *backlog { return &backlog{held: map[*client]holding{}, users: map[owner]int64{}} }

func (b *backlog) setLimit(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = bytes
}

// waits notes that so many bytes are held for a client that takes nothing.
func (b *backlog) waits(c *client, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(c, bytes)
	for b.total > b.limit {
		largest := b.largest()
		b.set(largest, 0)
		largest.disconnect()
	}
}

// largest returns the client with the most bytes, among those of the user with the most bytes.
func (b *backlog) largest() (largest *client) {
	var most owner
	for o, n := range b.users {
		if n > b.users[most] {
			most = o
		}
	}
	for c, h := range b.held {
		if h.owner == most && (largest == nil || h.bytes > b.held[largest].bytes) {
			largest = c
		}
	}
	return largest
}

// goesOn notes that a client has taken something, or is gone.
func (b *backlog) goesOn(c *client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(c, 0)
}

// inUse returns what is held for all of them, in bytes.
func (b *backlog) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

func (b *backlog) set(c *client, bytes int64) {
	h, there := b.held[c]
	if !there {
		if bytes == 0 {
			return
		}
		h.owner = c.holder()
	}
	b.total += bytes - h.bytes
	if b.users[h.owner] += bytes - h.bytes; b.users[h.owner] == 0 {
		delete(b.users, h.owner)
	}
	if h.bytes = bytes; bytes == 0 {
		delete(b.held, c)
	} else {
		b.held[c] = h
	}
}
