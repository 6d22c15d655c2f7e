package server

import "sync"

// shares bounds memory that all sessions take together, for what they have begun to send or are about to be
// sent. A user may have no more than what is then still free, an address three times as much: so one user alone
// gets at most half of it, all users of one address three quarters, and there is always some for who has
// nothing yet.
type shares struct {
	mu    sync.Mutex // all below
	limit int64
	used  int64
	users map[uint64]int64
	addrs map[string]int64
}

const addressShare = 3

// owner is who has a share.
type owner struct {
	user uint64
	addr string
}

func newShares(limit int64) *shares {
	return &shares{limit: limit, users: map[uint64]int64{}, addrs: map[string]int64{}}
}

// take notes n more bytes of o's, and reports whether o may have them. They are to be given back in any case.
func (m *shares) take(o owner, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(o, n)
	free := m.limit - m.used
	return m.users[o.user] <= free && m.addrs[o.addr] <= addressShare*free
}

// give takes n bytes back.
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

// inUse is what all have.
func (m *shares) inUse() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}
