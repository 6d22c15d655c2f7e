package fsm

import (
	"math"
	"sync/atomic"

	"ciderd/internal/cache"
)

// Limits bound the memory of what the state holds, as cache.MemoryOf counts it. They are the cluster's: they come
// with the log and are the same on every node.
type Limits struct {
	MaxMemory int64 // of all users together, in bytes; 0: none
	Quota     int64 // of each user that has none of its own, in bytes; 0: none
	// Reject: what would grow beyond a limit is refused. Otherwise the leader evicts items.
	Reject bool
}

const (
	// MinMemory and MinQuota are the least limits that can be set, in bytes.
	MinMemory = 16 << 20
	MinQuota  = 64 << 10
	// MaxLimit is above any machine; no limit, quota or reserve is larger, so that sums of them do not overflow.
	MaxLimit = 1 << 46
	// Unbounded is a guarantee without a bound: neither a limit nor a quota is set.
	Unbounded = math.MaxInt64
)

// What Apply refuses whatever the leader does. A leader that is right makes room first, so that nobody gets here.
const (
	netMemory = 16 << 20 // beyond the limit and an eighth of it
	netQuota  = 1 << 20  // beyond a quota and an eighth of it
)

// ledger is what the state may hold, and what it holds besides items. Only the FSM's goroutine changes it; it is read
// from any.
type ledger struct {
	limits   atomic.Pointer[Limits] // nil: nobody has set any
	working  atomic.Int64           // the limit that the leader works to at present; 0: there is no limit
	fixed    atomic.Int64           // memory of all accounts and ids of ONCE, which cannot be evicted
	reserves atomic.Int64           // of all users together
	evicted  atomic.Uint64          // items, of all users there have been
	owners   atomic.Int64           // users with a quota of their own
}

// share is what one account has of the ledger.
type share struct {
	quota   atomic.Int64 // of its own; 0: none
	reserve atomic.Int64
	fixed   atomic.Int64
	evicted atomic.Uint64
}

// hash is 0 for a user that never had anything to do with limits, so that such a state hashes as it always did.
func (s *share) hash(id uint64) uint64 {
	quota, reserve, evicted := uint64(s.quota.Load()), uint64(s.reserve.Load()), s.evicted.Load()
	if quota|reserve|evicted == 0 {
		return 0
	}
	return hashOf([]byte("share"), id, quota, reserve, evicted)
}

func (l *ledger) hash() uint64 {
	limits := l.limits.Load()
	if limits == nil && l.evicted.Load() == 0 {
		return 0
	}
	now := l.current()
	return hashOf([]byte("limits"), flag(limits != nil), uint64(now.MaxMemory), uint64(now.Quota), flag(now.Reject),
		uint64(l.working.Load()), l.evicted.Load())
}

// current returns the limits; none: the zero value.
func (l *ledger) current() Limits {
	if limits := l.limits.Load(); limits != nil {
		return *limits
	}
	return Limits{}
}

// set makes limits those of the state. The leader works to the new one until it says otherwise.
func (l *ledger) set(limits Limits) {
	l.limits.Store(&limits)
	l.working.Store(limits.MaxMemory)
}

// aim notes the limit that the leader works to: never more than the limit, nor less than half of it.
func (l *ledger) aim(target int64) {
	limit := l.current().MaxMemory
	l.working.Store(min(max(target, limit/2), limit))
}

// memory is what everything together counts for.
func (s *state) memory() int64 { return s.store.Memory() + s.ledger.fixed.Load() }

// memory is what one user's items, account and ids of ONCE count for.
func (a *account) memory() int64 { return a.keyspace.Memory() + a.share.fixed.Load() }

// addFixed notes that a user's account and ids of ONCE take so much more.
func (s *state) addFixed(a *account, bytes int64) {
	a.share.fixed.Add(bytes)
	s.ledger.fixed.Add(bytes)
}

// leaveLedger takes out what a removed user had.
func (s *state) leaveLedger(a *account) {
	s.ledger.fixed.Add(-a.share.fixed.Load())
	s.ledger.reserves.Add(-a.share.reserve.Load())
	if a.share.quota.Load() > 0 {
		s.ledger.owners.Add(-1)
	}
}

// quota returns the quota of a user; 0: none.
func (s *state) quota(a *account) int64 {
	if own := a.share.quota.Load(); own != 0 {
		return own
	}
	return s.ledger.current().Quota
}

// guarantee returns the memory up to which a user loses nothing to others at present.
func (s *state) guarantee(a *account) int64 {
	most := int64(Unbounded)
	if working := s.ledger.working.Load(); working > 0 {
		rest := part(working, 15, 16) - s.ledger.fixed.Load() - s.ledger.reserves.Load()
		most = max(a.share.reserve.Load(), rest/int64(max(s.store.Occupied(), 1)), 0)
	}
	if quota := s.quota(a); quota > 0 {
		most = min(most, part(quota, 15, 16))
	}
	return most
}

// part returns n/d of bytes, without overflowing.
func part(bytes, n, d int64) int64 { return bytes/d*n + bytes%d*n/d }

// Shares tells how the memory is shared. It is read while entries are applied, so two of its answers may lie some
// entries apart. Any goroutine may use it.
type Shares struct {
	state   *state
	weights func() *Weights // of what is in flight; nil: nothing is known of it
}

// Usage is what one user has.
type Usage struct {
	Memory    int64 // of its items, account and ids of ONCE, in bytes
	Fixed     int64 // of the account and the ids of ONCE, which cannot be evicted
	Quota     int64 // its own, or the default one; 0: none
	OwnQuota  int64 // 0: none
	Reserve   int64
	Guarantee int64 // up to this much it loses nothing to others at present; or Unbounded
	Evicted   uint64
}

// Shares returns the present shares.
func (f *FSM) Shares() Shares { return Shares{state: f.state.Load()} }

// With returns shares whose Growth also knows the large values that are in flight, which a command may copy.
func (s Shares) With(weights func() *Weights) Shares {
	s.weights = weights
	return s
}

// Limits returns the limits, and whether any have been set (if only to none).
func (s Shares) Limits() (limits Limits, set bool) {
	return s.state.ledger.current(), s.state.ledger.limits.Load() != nil
}

// Working returns the limit that the leader works to, which real memory may keep below the limit; 0: there is none.
func (s Shares) Working() int64 { return s.state.ledger.working.Load() }

// Memory returns what everything together counts for, in bytes.
func (s Shares) Memory() int64 { return s.state.memory() }

// Items returns the number of all items.
func (s Shares) Items() int { return s.state.store.Len() }

// Gone returns the size of all items that were replaced or removed in this process, see cache.Keyspace.Gone.
func (s Shares) Gone() uint64 { return s.state.store.Gone() }

// Evicted returns how many items have been evicted, as long as the cluster has existed.
func (s Shares) Evicted() uint64 { return s.state.ledger.evicted.Load() }

// Quotas reports whether any user has a quota.
func (s Shares) Quotas() bool {
	return s.state.ledger.owners.Load() > 0 || s.state.ledger.current().Quota > 0
}

// Of returns what a user has; false: there is no such user.
func (s Shares) Of(id uint64) (Usage, bool) {
	_, a := s.state.users.get(id)
	if a == nil {
		return Usage{}, false
	}
	return s.usage(a), true
}

func (s Shares) usage(a *account) Usage {
	return Usage{
		Memory: a.memory(), Fixed: a.share.fixed.Load(), Quota: s.state.quota(a), OwnQuota: a.share.quota.Load(),
		Reserve: a.share.reserve.Load(), Guarantee: s.state.guarantee(a), Evicted: a.share.evicted.Load(),
	}
}

// Each calls fn with what each user has, in no order.
func (s Shares) Each(fn func(id uint64, u Usage)) {
	for _, a := range s.state.users.all() {
		fn(a.keyspace.ID(), s.usage(a)) // the user may be replaced meanwhile
	}
}

// Keyspace returns a user's cache; nil: there is no such user.
func (s Shares) Keyspace(id uint64) *cache.Keyspace {
	if _, a := s.state.users.get(id); a != nil {
		return a.keyspace
	}
	return nil
}

// Store returns all caches.
func (s Shares) Store() *cache.Store { return s.state.store }
