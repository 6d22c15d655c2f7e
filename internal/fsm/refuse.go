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
	// Weights bounds what the commands of an entry make every node copy; nil: it is not bounded.
	Weights *Weights
}

// nothing tells whether r refuses nothing.
func (r Refusal) nothing() bool { return !r.Growth && r.Reads == 0 && r.Weights == nil }

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
	h, commands, err := readPlausible(entry)
	if err != nil {
		return nil, err
	}
	out := refusing{refusal: r, commands: commands, work: entryWork{weights: r.Weights}, changed: r.unread(h.Version)}
	if err := eachCommand(h.Version, h.Count, commands, out.command); err != nil {
		return nil, err
	}
	if !out.changed {
		return entry, nil
	}
	h.Version = max(out.version, version1)
	return AppendBatch(nil, h, out.rest), nil
}

// refusing makes the entry without what is refused. As long as nothing is, it copies nothing.
type refusing struct {
	refusal  Refusal
	commands []byte
	work     entryWork
	changed  bool
	seen     int    // bytes of commands
	rest     []byte // of the new entry, once changed
	copied   int    // bytes of commands that are in rest, as they were or replaced
	version  byte
}

func (r *refusing) command(c *Command, encoded []byte) {
	flags, not := r.refusal.why(c.Op)
	if !not && r.work.tooMuch(c) {
		flags, not = flagBusy, true
	}
	if not {
		r.changed = true
		r.rest = append(r.rest, r.commands[r.copied:r.seen]...)
		*c = c.refused(flags)
		r.rest = AppendCommand(r.rest, c)
		r.copied = r.seen + len(encoded)
	}
	r.seen += len(encoded)
	r.version = max(r.version, operations[c.Op].since)
	if r.changed && r.seen == len(r.commands) {
		r.rest = append(r.rest, r.commands[r.copied:]...)
	}
}

// refused is what takes c's place.
func (c *Command) refused(flags uint8) Command {
	if operations[c.Op].nobody {
		return Command{Op: OpRefuse, Flags: flags, Words: c.Words}
	}
	return Command{Op: OpRefuse, Flags: flags, User: c.User, Once: c.Once, Words: c.Words}
}
