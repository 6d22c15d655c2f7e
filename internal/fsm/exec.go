package fsm

// exec runs a transaction: all of it, or nothing. Within it a command's own error is its result and undoes nothing; but
// what could not be stored for want of room is refused before anything is done.
func (t items) exec(c *Command) Result {
	if !t.holds(c) {
		return Result{Kind: KindNil}
	}
	if kind, ok := t.roomForExec(c); !ok {
		return Result{Kind: kind}
	}
	t.granted = true
	t.ks.BeginCut()
	results := t.runAll(c)
	t.ks.EndCut()
	t.granted = false
	done := Result{Kind: KindExec, N: int64(c.Exec.count)}
	if t.mine {
		done.Details = &Details{Results: results}
	}
	return done
}

// holds reports whether all conditions of a transaction hold.
func (t items) holds(c *Command) bool {
	if c.Flags&FlagWhole != 0 && t.ks.Version() != c.Version {
		return false
	}
	all := true
	c.Exec.eachCondition(func(key []byte, version uint64) bool {
		item, _ := t.ks.Lookup(key, t.time) // of what is not there the version is 0
		all = item.Version == version
		return all
	})
	return all
}

// runAll runs the commands of a transaction and returns their results, on the node that wants them.
func (t items) runAll(c *Command) (results []Result) {
	if t.mine {
		results = make([]Result, 0, c.Exec.count)
	}
	rest, left := c.Exec.commands, c.Exec.count
	for left > 0 {
		some := t.inside[:min(left, len(t.inside))]
		for i := range some {
			rest, _ = some[i].decodeInside(rest, t.version) // it was read before, with its entry
			some[i].User = c.User
		}
		t.warm(some)
		for i := range some {
			if r := t.write(&some[i]); t.mine {
				results = append(results, r)
			}
		}
		left -= len(some)
	}
	return results
}

func (t items) look(c *Command) Result {
	if !t.mine {
		return Result{Kind: KindNone}
	}
	return t.value(t.ks.Lookup(c.Key, t.time))
}

func (t items) view() Result {
	if !t.mine {
		return Result{Kind: KindNone}
	}
	return Result{Kind: KindView, N: t.time, Details: &Details{View: t.ks.FreezeInCut()}}
}

// roomForExec reports whether all that a transaction may store has room; if not, why not.
func (t items) roomForExec(c *Command) (Kind, bool) {
	if !t.bounded() {
		return KindNone, true
	}
	f := newForecast(true, t.find)
	f.next(c)
	return t.may(f.grown(t.ks.Memory()), !c.Exec.grows)
}

// find returns what a key has now.
func (t items) find(key []byte) found {
	memory, _ := t.ks.Peek(key)
	return found{extent: extentOf(t.ks.Lookup(key, t.time)), memory: memory}
}
