package fsm

// Refusal is what may not enter the log at present.
type Refusal struct {
	// Growth: commands that can make the state larger. A leader whose cluster has no space on its disks must not
	// store values that will be refused; without them the entry may still fit.
	Growth bool
	// Reads is the version of entries that every server reads, if it is less than EntryVersion. Servers that do not
	// read a newer operation would take it for a malformed command and apply another batch than the rest of the
	// cluster. 0: all servers read all versions.
	Reads int
	// Weights bounds what the commands of an entry make every node copy; nil: no bound.
	Weights *Weights
}

// nothing reports whether r refuses nothing.
func (r Refusal) nothing() bool { return !r.Growth && r.Reads == 0 && r.Weights == nil }

// unread reports whether some servers do not read a version.
func (r Refusal) unread(version byte) bool { return r.Reads != 0 && int(version) > r.Reads }

// why returns the flags of the OpRefuse that replaces a command, if r refuses it.
func (r Refusal) why(c *Command) (flags uint8, refused bool) {
	switch {
	case r.unread(byte(c.Since())):
		return flagUnread, true
	case r.Growth && c.grows():
		return 0, true
	}
	return 0, false
}

// Refuse checks what enters the log: it returns entry with OpRefuse in place of every command that r refuses. It
// never refuses a whole batch because of r, as that batch would be sent again forever. It stays the same batch, and
// each command has its result: KindMemoryFull, KindUnread or KindBusy. A command in ONCE that was applied before
// still returns its first result. An OpRefuse needs no user, so that a command without one has its result too. An
// entry without such commands is returned as it is; entry is never changed. The error is that of Check: no correct
// node makes such an entry, and every node would stop at it.
//
// Releases that do not know OpRefuse stop at such an entry (ErrNewer). So nothing may be refused while such servers
// are in the cluster.
func Refuse(entry []byte, r Refusal) ([]byte, error) {
	if r.nothing() {
		return entry, Check(entry)
	}
	h, commands, err := readPlausible(entry)
	if err != nil {
		return nil, err
	}
	if h.Eviction {
		return entry, nil
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

// refusing builds the entry without the refused commands. It copies nothing until one is refused.
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
	flags, not := r.refusal.why(c)
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
	r.version = max(r.version, byte(c.Since()))
	if r.changed && r.seen == len(r.commands) {
		r.rest = append(r.rest, r.commands[r.copied:]...)
	}
}

// refused returns the command that replaces c.
func (c *Command) refused(flags uint8) Command {
	if operations[c.Op].userless {
		return Command{Op: OpRefuse, Flags: flags, Words: c.Words}
	}
	return Command{Op: OpRefuse, Flags: flags, User: c.User, Once: c.Once, Words: c.Words}
}
