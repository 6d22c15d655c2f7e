package fsm

import "math/big"

// modelLimits is the model's ledger. What users have of it is in modelUser.
type modelLimits struct {
	set, reject         bool
	max, quota, working int64
	evicted             uint64
}

// class is what the allocator gives for n bytes, spelled out.
func class(n int64) int64 {
	step := int64(16)
	switch {
	case n > 32768:
		step = 8192
	case n > 128:
		for step = 16; step*16 < n; step *= 2 {
		}
	}
	return (n + step - 1) / step * step
}

func itemMemory(key, value string, deadline int64) int64 {
	n, more := int64(14+len(key)+len(value)), int64(20)
	if deadline != 0 {
		n, more = n+8, more+28
	}
	return class(n) + more
}

func (it modelItem) memory(key string) int64 { return itemMemory(key, it.value, it.deadline) }

func (u *modelUser) fixed() int64 {
	n := int64(800 + len(u.name) + len(u.hash))
	for _, o := range u.once {
		n += int64(160 + len(o.id))
	}
	return n
}

func (u *modelUser) memory() int64 {
	n := u.fixed()
	for key, it := range u.items {
		n += it.memory(key)
	}
	return n
}

func (m *model) memory() (all, fixed, reserves int64, occupied int) {
	for _, u := range m.users {
		all += u.memory()
		fixed += u.fixed()
		reserves += u.reserve
		if len(u.items) > 0 {
			occupied++
		}
	}
	return all, fixed, reserves, max(occupied, 1)
}

func (m *model) quotaOf(u *modelUser) int64 {
	if u.quota != 0 {
		return u.quota
	}
	return m.limits.quota
}

// share is n/d of bytes.
func fraction(bytes, n, d int64) int64 {
	b := new(big.Int).Mul(big.NewInt(bytes), big.NewInt(n))
	return b.Quo(b, big.NewInt(d)).Int64()
}

func (m *model) guarantee(u *modelUser) int64 {
	most := int64(1<<63 - 1)
	if m.limits.working > 0 {
		_, fixed, reserves, occupied := m.memory()
		most = max(u.reserve, (fraction(m.limits.working, 15, 16)-fixed-reserves)/int64(occupied), 0)
	}
	if q := m.quotaOf(u); q > 0 {
		most = min(most, fraction(q, 15, 16))
	}
	return most
}

// room is why need bytes in place of had may not be stored; KindNone: they may.
func (m *model) room(u *modelUser, need, had int64, gentle bool) Kind {
	if had >= need && need <= m.quotaOf(u) {
		return KindNone
	}
	up := func(limit, net int64) int64 {
		switch {
		case !m.limits.reject:
			return limit + limit/8 + net
		case gentle:
			return limit + limit/8
		}
		return limit
	}
	if q := m.quotaOf(u); q > 0 && (need > q || need > had && u.memory()+need-had > up(q, 1<<20)) {
		return KindQuota
	}
	all, _, _, _ := m.memory()
	if m.limits.max > 0 && need > had && all+need-had > up(m.limits.max, 16<<20) {
		return KindAtLimit
	}
	return KindNone
}

func (m *model) roomForItem(u *modelUser, key, value string, deadline int64) Kind {
	had := int64(0)
	if it, there := u.items[key]; there {
		had = it.memory(key)
	}
	return m.room(u, itemMemory(key, value, deadline), had, false)
}

func (m *model) roomForAll(u *modelUser, words [][]byte) Kind {
	last := map[string]string{}
	for i := 0; i+1 < len(words); i += 2 {
		last[string(words[i])] = string(words[i+1])
	}
	need, had := int64(0), int64(0)
	for key, value := range last {
		need += itemMemory(key, value, 0)
		if it, there := u.items[key]; there {
			had += it.memory(key)
		}
	}
	return m.room(u, need, had, false)
}

func (m *model) roomForID(u *modelUser, id []byte) Kind {
	need := int64(160 + len(id))
	_, fixed, _, _ := m.memory()
	if u.fixed()+need > m.guarantee(u) || m.limits.max > 0 && fixed+need > m.limits.max/4 && u.fixed()+need > u.reserve {
		return KindQuota
	}
	return m.room(u, need, 0, true)
}

func (m *model) roomForUser(name, hash []byte) bool {
	if m.limits.max == 0 {
		return true
	}
	all, fixed, _, _ := m.memory()
	need := int64(800 + len(name) + len(hash))
	most := m.limits.max
	if !m.limits.reject {
		most += most/8 + 16<<20
	}
	return fixed+need <= m.limits.max/4 && all+need <= most
}

func (m *model) setLimits(c *Command) Result {
	_, _, reserves, _ := m.memory()
	switch most := fraction(c.N, 7, 16); {
	case c.N < 0 || c.Limit < 0 || c.N > 1<<46 || c.Limit > 1<<46:
		return Result{}
	case c.Flags&FlagFirst != 0 && m.limits.set:
		return Result{Kind: KindExists}
	case c.N > 0 && reserves > most:
		return Result{Kind: KindReserved, N: most}
	}
	m.limits.set, m.limits.max, m.limits.working = true, c.N, c.N
	m.limits.quota, m.limits.reject = c.Limit, c.Flags&FlagReject != 0
	return Result{Kind: KindOK}
}

func (m *model) setShare(u *modelUser, c *Command) Result {
	if c.N < 0 || c.N > 1<<46 {
		return Result{}
	}
	if c.Op == OpQuota {
		if most := fraction(c.N, 15, 16); c.N > 0 && u.reserve > most {
			return Result{Kind: KindReserved, N: most}
		}
		u.quota = c.N
		return Result{Kind: KindOK}
	}
	if q := m.quotaOf(u); q > 0 && c.N > fraction(q, 15, 16) {
		return Result{Kind: KindReserved, N: fraction(q, 15, 16)}
	}
	_, _, reserves, _ := m.memory()
	left := fraction(m.limits.max, 7, 16) - (reserves - u.reserve)
	if m.limits.max > 0 && c.N > u.reserve && c.N > left {
		return Result{Kind: KindReserved, N: max(left, 0)}
	}
	u.reserve = c.N
	return Result{Kind: KindOK}
}

// evict is an eviction in the log.
func (m *model) evict(stamp int64, e *Eviction) {
	m.now = max(m.now, stamp)
	m.expire(256)
	l := &m.limits
	l.working = min(max(e.Target, l.max/2), l.max)
	for _, v := range e.Victims {
		u := m.users[v.User]
		if u == nil || l.reject {
			continue
		}
		it, there := u.items[string(v.Key)]
		if !there || it.version != v.Version {
			continue
		}
		all, _, _, _ := m.memory()
		q := m.quotaOf(u)
		if l.working > 0 && all > fraction(l.working, 7, 8) && u.memory() > m.guarantee(u) ||
			q > 0 && u.memory() > fraction(q, 15, 16)-e.Room {
			u.remove(string(v.Key))
			u.evicted++
			l.evicted++
		}
	}
}
