package fsm

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"ciderd/internal/cache"
)

// User is an account as it stands in the replicated state. It is never changed once published:
// a new password makes a new User.
type User struct {
	ID    uint64 // from 1, never reused
	Name  string
	Hash  []byte // bcrypt; not to be modified
	Epoch uint64 // increases with each change of the password, from 1
}

// account is a user with what belongs to it.
type account struct {
	user     *User
	keyspace *cache.Keyspace
	share    share       // FSM's goroutine changes it
	once     onceTable   // FSM's goroutine only
	gone     atomic.Bool // unregistered
}

// users is every account. Only the FSM's goroutine changes it.
type users struct {
	mu     sync.RWMutex // the maps and every account's user field, for readers on other goroutines
	byID   map[uint64]*account
	byName map[string]*account
	last   uint64 // the last id assigned
	sum    uint64 // of all users' hashes, for state.hash; FSM's goroutine only
	bytes  atomic.Int64
}

// size returns what Size counts for an account.
func (u *User) size() int64 { return int64(accountBytes + len(u.Name) + len(u.Hash)) }

func newUsers() *users {
	return &users{byID: map[uint64]*account{}, byName: map[string]*account{}}
}

func (u *users) add(a *account) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.byID[a.user.ID] = a
	u.byName[a.user.Name] = a
	u.last = max(u.last, a.user.ID)
	u.sum += a.user.hash()
	u.bytes.Add(a.user.size())
}

func (u *users) remove(a *account) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.byID, a.user.ID)
	delete(u.byName, a.user.Name)
	u.sum -= a.user.hash() + a.share.hash(a.user.ID)
	u.bytes.Add(-a.user.size())
	a.gone.Store(true)
}

func (u *users) setHash(a *account, hash []byte) {
	changed := *a.user
	changed.Hash = slices.Clone(hash)
	changed.Epoch++
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sum += changed.hash() - a.user.hash()
	u.bytes.Add(changed.size() - a.user.size())
	a.user = &changed
}

// setShare changes what a user has of the ledger, and its part of the hash.
func (u *users) setShare(a *account, change func(s *share)) {
	u.sum -= a.share.hash(a.user.ID)
	change(&a.share)
	u.sum += a.share.hash(a.user.ID)
}

// all may be called from any goroutine.
func (u *users) all() []*account {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return slices.Collect(maps.Values(u.byID))
}

func (u *User) hash() uint64 {
	return hashOf([]byte(u.Name), u.ID, u.Epoch, hashOf(u.Hash))
}

// lookup may be called from any goroutine.
func (u *users) lookup(name []byte) (User, bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if a := u.byName[string(name)]; a != nil {
		return *a.user, true
	}
	return User{}, false
}

// get may be called from any goroutine.
func (u *users) get(id uint64) (User, *account) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if a := u.byID[id]; a != nil {
		return *a.user, a
	}
	return User{}, nil
}

func (u *users) count() int {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return len(u.byID)
}
