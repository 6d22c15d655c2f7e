package fsm

// setLimits makes limits the cluster's. FlagFirst: only if there are none yet, as every node of a new cluster
// proposes its own.
func (s *state) setLimits(c *Command) Result {
	limits := Limits{MaxMemory: c.N, Quota: c.Limit, Reject: c.Flags&FlagReject != 0}
	switch {
	case !amount(limits.MaxMemory) || !amount(limits.Quota):
		return Result{Kind: KindNone}
	case c.Flags&FlagFirst != 0 && s.ledger.limits.Load() != nil:
		return Result{Kind: KindExists}
	case limits.MaxMemory > 0 && s.ledger.reserves.Load() > reservable(limits.MaxMemory):
		return Result{Kind: KindReserved, N: reservable(limits.MaxMemory)}
	}
	s.ledger.set(limits)
	return Result{Kind: KindOK}
}

// amount reports whether n can be a limit.
func amount(n int64) bool { return n >= 0 && n <= MaxLimit }

// reservable returns how much of a limit all reserves together may take.
func reservable(limit int64) int64 { return part(limit, 7, 16) }

// setQuota gives an account a quota of its own; 0: takes it away.
func (s *state) setQuota(a *account, c *Command) Result {
	own := &a.share
	if !amount(c.N) {
		return Result{Kind: KindNone}
	}
	if most := part(c.N, 15, 16); c.N > 0 && own.reserve.Load() > most {
		return Result{Kind: KindReserved, N: most}
	}
	s.ledger.owners.Add(int64(flag(c.N > 0)) - int64(flag(own.quota.Load() > 0)))
	s.users.setShare(a, func(own *share) { own.quota.Store(c.N) })
	return Result{Kind: KindOK}
}

// setReserve reserves memory for an account; 0: none.
func (s *state) setReserve(a *account, c *Command) Result {
	had := a.share.reserve.Load()
	if !amount(c.N) {
		return Result{Kind: KindNone}
	}
	if quota := s.quota(a); quota > 0 && c.N > part(quota, 15, 16) {
		return Result{Kind: KindReserved, N: part(quota, 15, 16)}
	}
	limit, others := s.ledger.current().MaxMemory, s.ledger.reserves.Load()-had
	if c.N > had && limit > 0 && c.N > reservable(limit)-others {
		return Result{Kind: KindReserved, N: max(reservable(limit)-others, 0)}
	}
	s.ledger.reserves.Add(c.N - had)
	s.users.setShare(a, func(own *share) { own.reserve.Store(c.N) })
	return Result{Kind: KindOK}
}
