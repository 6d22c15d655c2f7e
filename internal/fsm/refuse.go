package fsm

// Refusal is what may not enter the log at the moment.
type Refusal struct {
	// Growth: commands that can make the state larger. A leader whose cluster has no room on its disks does
	// not store the values that will be refused, and what is left of an entry fits where that did not.
	Growth bool
	// Reads is the version of entries that every server reads, if it is less than EntryVersion: what is newer
	// would be a malformed command to those that do not, and they would carry out another batch than the rest
	// of the cluster. 0: all read all.
	Reads int
}

// nothing tells whether r refuses nothing.
func (r Refusal) nothing() bool { return !r.Growth && r.Reads == 0 }

// unread tells whether there are servers that do not read a version.
func (r Refusal) unread(version byte) bool { return r.Reads != 0 && int(version) > r.Reads }

// why is the flags of the OpRefuse that takes an operation's place, if r refuses that.
func (r Refusal) why(op Op) (flags uint8, refused bool) {
	switch {
	case r.unread(operations[op].since):
		return flagUnread, true
	case r.Growth && operations[op].grows:
		return 0, true
	}
	return 0, false
}

// Refuse is the check of what enters the log: it returns entry with OpRefuse for every command that r refuses.
// It never refuses a batch as a whole for what r says, which would be sent again for ever: it is still the same
// batch, and each command has its result, KindMemoryFull or KindUnread; one of ONCE that was carried out before
// still gives what it gave then. An OpRefuse needs no user, so that a command of nobody's has its result too. An
// entry without such commands is returned as it is; entry is never changed. The error is that of Check: such an
// entry is nobody's who works as it should, and every node would come to its end at it.
//
// Releases that do not know OpRefuse end at such an entry (ErrNewer): there is none to be refused by while there
// are servers of those.
func Refuse(entry []byte, r Refusal) ([]byte, error) {
	if r.nothing() {
		return entry, Check(entry)
	}
	h, commands, err := ReadEntry(entry)
	if err != nil {
		return nil, err
	}
	var rest []byte
	refused, version := false, h.Version
	h.Version = version1
	err = eachCommand(version, h.Count, commands, func(c *Command, kept []byte) {
		if flags, not := r.why(c.Op); not {
			refused = true
			*c = c.refused(flags)
			kept = AppendCommand(nil, c)
		}
		rest = append(rest, kept...)
		h.Version = max(h.Version, operations[c.Op].since)
	})
	if err != nil {
		return nil, err
	}
	if !refused && !r.unread(version) {
		return entry, nil
	}
	return AppendBatch(nil, h, rest), nil
}

// refused is what takes c's place.
func (c *Command) refused(flags uint8) Command {
	if operations[c.Op].nobody {
		return Command{Op: OpRefuse, Flags: flags, Words: c.Words}
	}
	return Command{Op: OpRefuse, Flags: flags, User: c.User, Once: c.Once, Words: c.Words}
}
