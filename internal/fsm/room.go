package fsm

import "ciderd/internal/cache"

// What an account and an id of ONCE count for besides their bytes. Constants of the state machine for ever; a test
// holds them to what they really take.
const (
	accountMemory = 800
	onceIDMemory  = 160
)

func (u *User) memory() int64 { return int64(accountMemory + len(u.Name) + len(u.Hash)) }

func onceMemory(id int) int64 { return int64(onceIDMemory + id) }

// grown is a change of memory that a command is about to make.
type grown struct {
	need int64 // what it stores
	had  int64 // what that replaces
}

// may reports whether a command of the account that was looked up may make that change; if not, why not.
func (a *applier) may(g grown, gentle bool) (Kind, bool) {
	limits := a.ledger.current()
	if quota := a.quota(a.account); quota > 0 {
		if g.need > quota {
			return KindQuota, false
		}
		if g.beyond(a.account.memory(), bound(quota, netQuota, limits.Reject, gentle)) {
			return KindQuota, false
		}
	}
	if limits.MaxMemory > 0 && g.beyond(a.memory(), bound(limits.MaxMemory, netMemory, limits.Reject, gentle)) {
		return KindAtLimit, false
	}
	return KindNone, true
}

// bound returns up to where a limit lets memory grow. Where items are evicted that is a net which only a wrong leader
// reaches. A gentle change adds next to nothing (a deadline, a remembered id): deadlines are how room is made.
func bound(limit, net int64, reject, gentle bool) int64 {
	switch {
	case !reject:
		return limit + limit/8 + net
	case gentle:
		return limit + limit/8
	}
	return limit
}

// beyond reports whether g grows what has so much memory now, to more than most.
func (g grown) beyond(memory, most int64) bool { return g.need > g.had && memory-g.had+g.need > most }

// bounded reports whether anything bounds the account that was looked up, and what it does has not been granted.
func (a *applier) bounded() bool {
	if a.granted {
		return false
	}
	limits := a.ledger.current()
	return limits.MaxMemory > 0 || limits.Quota > 0 || a.account.share.quota.Load() > 0
}

// roomFor reports whether an item may be stored; if not, why not.
func (a *applier) roomFor(ks *cache.Keyspace, key []byte, value int, deadline int64) (Kind, bool) {
	a.inserted++
	if !a.bounded() {
		return KindNone, true
	}
	g := grown{need: cache.MemoryOf(len(key), value, deadline != 0)}
	// Nearly always there is room also without what is replaced, which takes a look at the table.
	if kind, ok := a.may(g, false); ok || kind == KindQuota && g.need > a.quota(a.account) {
		return kind, ok
	}
	g.had, _ = ks.Peek(key)
	return a.may(g, false)
}

// roomForAll is roomFor for keys and values in turn.
func (a *applier) roomForAll(ks *cache.Keyspace, words [][]byte) (Kind, bool) {
	a.inserted += len(words) / 2
	if !a.bounded() {
		return KindNone, true
	}
	var g grown
	for i := 0; i+1 < len(words); i += 2 {
		g.need += cache.MemoryOf(len(words[i]), len(words[i+1]), false)
	}
	if _, ok := a.may(g, false); ok {
		return KindNone, true
	}
	return a.may(distinct(ks, words), false)
}

// distinct returns what keys and values in turn store, and what they replace. Of a key that is there several times the
// last value stays, and what it had is replaced once.
func distinct(ks *cache.Keyspace, words [][]byte) (g grown) {
	seen := make(map[string]struct{}, len(words)/2)
	for i := len(words)&^1 - 2; i >= 0; i -= 2 {
		key := string(words[i])
		if _, twice := seen[key]; twice {
			continue
		}
		seen[key] = struct{}{}
		had, _ := ks.Peek(words[i])
		g.had += had
		g.need += cache.MemoryOf(len(key), len(words[i+1]), false)
	}
	return g
}

// roomForDeadline reports whether an item may get another deadline; if not, why not.
func (a *applier) roomForDeadline(key []byte, item cache.Item, deadline int64) (Kind, bool) {
	if !a.bounded() || item.Deadline != 0 || deadline == 0 {
		return KindNone, true
	}
	k, v := len(key), len(item.Value)
	return a.may(grown{need: cache.MemoryOf(k, v, true), had: cache.MemoryOf(k, v, false)}, true)
}

// roomForID reports whether one more id of ONCE may be remembered; if not, why not.
func (a *applier) roomForID(id []byte) (Kind, bool) {
	if !a.bounded() {
		return KindNone, true
	}
	need := onceMemory(len(id))
	fixed := a.account.share.fixed.Load() + need
	if fixed > a.guarantee(a.account) || !a.fixedFits(need) && fixed > a.account.share.reserve.Load() {
		return KindQuota, false
	}
	return a.may(grown{need: need}, true)
}

// fixedFits reports whether so much more may be fixed: all of it together may take a quarter of the limit, so that who
// has many accounts cannot take everybody's guarantee.
func (a *applier) fixedFits(more int64) bool {
	limit := a.ledger.current().MaxMemory
	return limit == 0 || a.ledger.fixed.Load()+more <= limit/4
}

// roomForUser reports whether an account may be made, in the place of old; nil: there is none.
func (a *applier) roomForUser(u *User, old *account) bool {
	limits := a.ledger.current()
	if limits.MaxMemory == 0 {
		return true
	}
	g, net := grown{need: u.memory()}, bound(limits.MaxMemory, netMemory, limits.Reject, false)
	more := g.need
	if old != nil {
		g.had = old.memory()
		more -= old.share.fixed.Load()
	}
	return (more <= 0 || a.fixedFits(more)) && !g.beyond(a.memory(), net)
}
