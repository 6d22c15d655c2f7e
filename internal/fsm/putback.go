package fsm

import "slices"

// What a restore puts back. A user out of a backup gets an id of its own: whatever sessions of the old one have under way
// ends at that, and until OpRestored nobody can log in, so nothing but the restore writes to it. Its items are stored by
// OpStore, as any others.

// The flags of OpRestore.
const (
	FlagLocked  = 1 << 0 // nobody can log in afterwards either: see OpLock
	FlagReplace = 1 << 1 // also if the user of that name has items
)

// maxVersion is the highest version that a keyspace may go on from. It leaves as many again above it.
const maxVersion = 1 << 62

// lastKind is the last kind of results that an OpRestoreOnce may hold. It is the last one of version 6 of entries.
const lastKind = KindSameKey

// restores runs the operations of a restore. They change the ids of ONCE, so they are not wrapped in it.
type restores struct{ *applier }

func isRestore(op Op) bool { return op == OpRestoreOnce || op == OpRestored }

// run runs what concerns the account that was looked up, and is being restored.
func (a restores) run(c *Command) Result {
	if c.Op == OpRestoreOnce {
		return a.once(c)
	}
	return a.end()
}

// begin puts a user in the place of the one of that name. It is that user's whole account, but for its ids of ONCE
// and its items.
func (a restores) begin(c *Command) Result {
	old := a.users.byName[string(c.Name)]
	switch {
	case !amount(c.N) || !amount(c.Limit) || c.Version > maxVersion:
		return Result{Kind: KindNone}
	case old != nil && !old.user.Restoring && old.keyspace.Len() > 0 && c.Flags&FlagReplace == 0:
		return Result{Kind: KindUserExists}
	case a.closed:
		return Result{Kind: KindMemoryFull}
	}
	if most := a.mostReserve(c.N, old); c.Limit > most {
		return Result{Kind: KindReserved, N: most}
	}
	user := &User{
		ID: a.users.last + 1, Name: string(c.Name), Hash: slices.Clone(c.Value), Epoch: 1,
		Locked: c.Flags&FlagLocked != 0, Restoring: true,
	}
	if !a.roomForUser(user, old) {
		return Result{Kind: KindAtLimit}
	}
	version := max(c.Version, uint64(a.time)*1000) // the latter as in OpRegister: an earlier account may have been removed
	if old != nil {
		version = max(version, old.keyspace.Version())
		a.dismiss(old)
		a.account = nil // it may be the one that was looked up last
		a.changed = append(a.changed, old.user.ID)
	}
	a.setShares(a.create(user, version), c.N, c.Limit)
	return Result{Kind: KindUser, N: int64(user.ID)}
}

// mostReserve returns what may be reserved for a user with that quota of its own, in the place of old.
func (s *state) mostReserve(quota int64, old *account) int64 {
	limits, most := s.ledger.current(), int64(MaxLimit)
	if quota == 0 {
		quota = limits.Quota
	}
	if quota > 0 {
		most = part(quota, 15, 16)
	}
	if limits.MaxMemory > 0 {
		others := s.ledger.reserves.Load()
		if old != nil {
			others -= old.share.reserve.Load()
		}
		most = min(most, max(reservable(limits.MaxMemory)-others, 0))
	}
	return most
}

// setShares gives a new account its quota and its reserve.
func (s *state) setShares(a *account, quota, reserve int64) {
	s.ledger.owners.Add(int64(flag(quota > 0)))
	s.ledger.reserves.Add(reserve)
	s.users.setShare(a, func(own *share) {
		own.quota.Store(quota)
		own.reserve.Store(reserve)
	})
}

// once remembers an id of ONCE of a user that is being restored.
func (a restores) once(c *Command) Result {
	table, kind := &a.account.once, Kind(c.Limit)
	_, known := table.lookup(c.Arg)
	switch {
	case a.refuses(c):
		return Result{Kind: KindMemoryFull}
	case len(c.Arg) == 0 || c.Limit <= int64(KindNone) || c.Limit > int64(lastKind) || kind.detailed():
		return Result{Kind: KindNone}
	case !a.account.user.Restoring:
		return Result{Kind: KindSessionEnded}
	case known:
		return Result{Kind: KindExists}
	case len(table.order) >= onceMax:
		return Result{Kind: KindOnceFull}
	}
	if why, ok := a.roomForID(c.Arg); !ok {
		return Result{Kind: why}
	}
	at := c.At
	if n := len(table.order); n > 0 {
		at = max(at, table.order[n-1].at) // the oldest is forgotten first
	}
	a.recall(a.account, remembered{id: string(c.Arg), at: min(max(at, 0), a.time), result: Result{Kind: kind, N: c.N}})
	return Result{Kind: KindOK}
}

// recall adds an id of ONCE to a user's, and to what is counted of it.
func (s *state) recall(a *account, r remembered) {
	a.once.remember(r)
	s.addFixed(a, onceMemory(len(r.id)))
	s.sum += r.hash()
	s.onceBytes.Add(r.size())
}

// end ends the restoring of an account: its user can log in. KindExists: that has ended already.
func (a restores) end() Result {
	if !a.account.user.Restoring {
		return Result{Kind: KindExists}
	}
	complete := *a.account.user
	complete.Restoring = false
	a.users.replace(a.account, complete)
	return Result{Kind: KindOK}
}
