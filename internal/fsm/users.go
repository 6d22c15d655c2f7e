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
	Epoch uint64 // increases with each change of the password, and with each lock, from 1
	// Locked: no password opens the account, and no session of it goes on.
	Locked bool
	// Restoring: a restore is putting it back, and has not come to its end. Nobody can log in.
	Restoring bool
}

// Proof is what a command that changes or removes the account names, so that of two that race one wins: the hash, which
// whoever has verified the password knows. That of a locked account has a mark before it. So what a session has begun
// before the lock comes too late; an operator's command names what holds.
func (u *User) Proof() []byte {
	if !u.Locked {
		return u.Hash
	}
	return append([]byte{lockMark}, u.Hash...)
}

// lockMark is in the log, and begins no hash.
const lockMark = '!'

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
	u.replace(a, changed)
}

// setLocked locks an account, or unlocks it. A lock ends the sessions, so it is an epoch.
func (u *users) setLocked(a *account, locked bool) {
	changed := *a.user
	if changed.Locked = locked; locked {
		changed.Epoch++
	}
	u.replace(a, changed)
}

// lock locks an account, or unlocks it. KindExists: it is so already.
func (s *state) lock(a *account, on bool) Result {
	if a.user.Locked == on {
		return Result{Kind: KindExists}
	}
	s.users.setLocked(a, on)
	return Result{Kind: KindOK}
}

// replace makes changed the account's user; the name and the id are the same.
func (u *users) replace(a *account, changed User) {
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
	if u.Locked || u.Restoring {
		return hashOf([]byte(u.Name), u.ID, u.Epoch, hashOf(u.Hash), flag(u.Locked)+2*flag(u.Restoring))
	}
	return hashOf([]byte(u.Name), u.ID, u.Epoch, hashOf(u.Hash)) // as releases that know neither have it
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
