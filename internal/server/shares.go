package server

import "sync"

// shares bounds the memory that all clients use together for what they are sending or are about to be sent. A user
// may have no more than what then remains free, an address three times as much: so one user alone gets at most half
// of it, all users of one address three quarters, and there is always some for those that have nothing yet.
type shares struct {
	mu    sync.Mutex // all below
	limit int64
	used  int64
	users map[uint64]int64
	addrs map[string]int64
}

const addressShare = 3

// owner is what has a share: a user at a client address.
type owner struct {
	user uint64
	addr string
}

func newShares(limit int64) *shares {
	return &shares{limit: limit, users: map[uint64]int64{}, addrs: map[string]int64{}}
}

// take notes n more bytes for o, and reports whether o may have them. They must be returned in any case.
func (m *shares) take(o owner, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(o, n)
	free := m.limit - m.used
	return m.users[o.user] <= free && m.addrs[o.addr] <= addressShare*free
}

// give returns n bytes.
func (m *shares) give(o owner, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(o, -n)
}

func (m *shares) add(o owner, n int64) {
	m.used += n
	if m.users[o.user] += n; m.users[o.user] == 0 {
		delete(m.users, o.user)
	}
	if m.addrs[o.addr] += n; m.addrs[o.addr] == 0 {
		delete(m.addrs, o.addr)
	}
}

// taken is what one client has.
type taken struct {
	owner owner
	bytes int64
}

// set changes it to n bytes, and reports whether the owner may have them: o, or the previous owner as long as it
// holds something.
func (t *taken) set(of *shares, o owner, n int64) bool {
	if t.bytes == 0 {
		t.owner = o
	}
	more := n - t.bytes
	t.bytes = n
	return of.take(t.owner, more)
}

// inUse returns what all clients have.
func (m *shares) inUse() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}
