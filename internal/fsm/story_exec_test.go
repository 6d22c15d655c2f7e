package fsm

// ofRedis is an operation of version 5.
func (s *story) ofRedis(c *Command) {
	if s.r.IntN(4) > 0 {
		s.keyed(c)
		return
	}
	c.Op, c.Exec = OpExec, &Transaction{}
	u := s.model.users[c.User]
	if u != nil && s.r.IntN(4) == 0 {
		c.Flags, c.Version = FlagWhole, u.version+uint64(s.r.IntN(4)/3)
	}
	for range s.r.IntN(3) {
		key, version := s.key(), uint64(0)
		if u != nil {
			version = u.items[string(key)].version + uint64(s.r.IntN(8)/7)
		}
		c.Exec.Watch(key, version)
	}
	for range s.r.IntN(8) {
		inside := Command{User: c.User}
		switch s.r.IntN(12) {
		case 0:
			inside.Op, inside.Key = OpLook, s.key()
		case 1:
			inside.Op = OpView
		case 2:
			inside.Op = OpFlush
		case 3, 4, 5:
			for inside = s.command(); !operations[inside.Op].inside; {
				inside = s.command()
			}
		default:
			s.keyed(&inside)
		}
		c.Exec.Add(&inside)
	}
}

// keyed is one that may stand in a transaction.
func (s *story) keyed(c *Command) {
	c.Key = s.key()
	switch n := s.r.IntN(20); {
	case n < 5:
		c.Op, c.Value, c.TTL, c.At = OpStore, s.value(), s.ttl(), s.instant()
		c.Flags = []uint8{0, 0, FlagNX, FlagXX, FlagEqual, FlagKeepTTL}[s.r.IntN(6)] | []uint8{0, FlagGet}[s.r.IntN(2)]
		c.Arg = s.guess(c)
	case n < 6:
		c.Op = OpGetDelete
	case n < 7:
		c.Op, c.Arg = OpDeleteEqual, s.guess(c)
	case n < 9:
		c.Op, c.TTL, c.At, c.Flags = OpGetExpire, s.ttl(), s.instant(), []uint8{0, 0, FlagPersist}[s.r.IntN(3)]
	case n < 12:
		c.Op, c.TTL, c.At = OpDeadline, s.ttl(), s.instant()
		c.Flags = []uint8{0, 0, FlagNX, FlagXX, FlagGT, FlagLT, FlagXX | FlagGT, FlagPersist}[s.r.IntN(8)]
	case n < 14:
		c.Op, c.Value = OpIncrFloat, s.number()
	case n < 16:
		c.Op, c.Value, c.N, c.Limit = OpSetRange, s.value(), []int64{0, 1, 3, 40, 2000, -1, 1 << 40}[s.r.IntN(7)], []int64{0, 5, 1000, 1 << 40}[s.r.IntN(4)]
	case n < 19:
		c.Op, c.Arg, c.Flags = OpMove, s.key(), uint8(s.r.IntN(2)*FlagNX|s.r.IntN(2)*FlagCopy)
		if s.r.IntN(6) == 0 {
			c.Arg = c.Key
		}
	default:
		c.Op = OpMSetNX
		for range s.r.IntN(4) {
			c.Words = append(c.Words, s.key(), s.value())
		}
		c.Key = nil
	}
}

// guess is mostly the value that is there.
func (s *story) guess(c *Command) []byte {
	if u := s.model.users[c.User]; u != nil && s.r.IntN(4) > 0 {
		return []byte(u.items[string(c.Key)].value)
	}
	return s.value()
}

func (s *story) number() []byte {
	return s.pick("1", "-1.5", "0.1", "3.0e3", "1e-3", "inf", "-Infinity", "nan", "0x10", "0x.8p1", "+5", " 5", "5 ", "1e", ".5", "1.", ".", "-0",
		"12345678901234567890123", "1e30", "1e-30", "0.00000000000000005", "", "1e5000", "1.0e4932", "text")
}

// instant is a deadline before or after the time, or none.
func (s *story) instant() int64 {
	if s.r.IntN(3) > 0 {
		return 0
	}
	return []int64{-1, 1, s.model.now, s.model.now + 1, s.model.now + 500, s.model.now + 1_000_000}[s.r.IntN(6)]
}
