package fsm

// The model's part for users out of a backup.

func (m *model) restore(c *Command) Result {
	var id uint64
	old := &modelUser{}
	for of, u := range m.users {
		if u.name == string(c.Name) {
			id, old = of, u
		}
	}
	quota := c.N
	if quota == 0 {
		quota = m.limits.quota
	}
	all, fixed, reserves, _ := m.memory()
	most := int64(1 << 46)
	if quota > 0 {
		most = fraction(quota, 15, 16)
	}
	if m.limits.max > 0 {
		most = min(most, max(fraction(m.limits.max, 7, 16)-(reserves-old.reserve), 0))
	}
	switch {
	case c.N < 0 || c.N > 1<<46 || c.Limit < 0 || c.Limit > 1<<46 || c.Version > 1<<62:
		return Result{}
	case !old.restoring && len(old.items) > 0 && c.Flags&2 == 0:
		return Result{Kind: KindUserExists}
	case m.closed:
		return Result{Kind: KindMemoryFull}
	case c.Limit > most:
		return Result{Kind: KindReserved, N: most}
	}
	u := &modelUser{
		name: string(c.Name), hash: string(c.Value), epoch: 1, version: max(c.Version, uint64(m.now)*1000, old.version), items: map[string]modelItem{},
		quota: c.N, reserve: c.Limit, locked: c.Flags&1 != 0, restoring: true,
	}
	had, hadFixed := int64(0), int64(0)
	if id != 0 {
		had, hadFixed = old.memory(), old.fixed()
	}
	if !m.roomInPlace(all, had, fixed, hadFixed, u.fixed()) {
		return Result{Kind: KindAtLimit}
	}
	delete(m.users, id)
	m.last++
	m.users[m.last] = u
	return Result{Kind: KindUser, N: int64(m.last)}
}

func (m *model) roomInPlace(all, had, fixed, hadFixed, need int64) bool {
	if m.limits.max == 0 {
		return true
	}
	most := m.limits.max
	if !m.limits.reject {
		most += most/8 + 16<<20
	}
	return (need <= hadFixed || fixed+need-hadFixed <= m.limits.max/4) && (need <= had || all+need-had <= most)
}

func (m *model) restoreOnce(u *modelUser, c *Command) Result {
	switch {
	case m.closed:
		return Result{Kind: KindMemoryFull}
	case len(c.Arg) == 0 || c.Limit < 1 || c.Limit > 27 || c.Limit >= 22 && c.Limit <= 24:
		return Result{}
	case !u.restoring:
		return Result{Kind: KindSessionEnded}
	}
	at := min(max(c.At, 0), m.now)
	for _, o := range u.once {
		if o.id == string(c.Arg) {
			return Result{Kind: KindExists}
		}
		at = max(at, o.at)
	}
	if len(u.once) >= 100_000 {
		return Result{Kind: KindOnceFull}
	}
	if why := m.roomForID(u, c.Arg); why != KindNone {
		return Result{Kind: why}
	}
	u.once = append(u.once, modelOnce{string(c.Arg), at, Result{Kind: Kind(c.Limit), N: c.N}})
	return Result{Kind: KindOK}
}
