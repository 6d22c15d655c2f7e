package fsm

// RefuseGrowth returns entry with OpRefuse for every command that can make the state larger: a leader
// whose cluster has no room on its disks does not store the values that will be refused, and what is
// left of an entry fits where that did not. Releases that do not know OpRefuse end at such an entry
// (ErrNewer), where they would take it for a malformed command and carry out another batch than the rest
// of the cluster. It is still the same batch, and each command has its
// result; one of ONCE that was carried out before still gives what it gave then. An entry without such
// commands is returned as it is, and so is one with a malformed command, which is for Apply to judge;
// entry is never changed. The error is that of ReadEntry.
func RefuseGrowth(entry []byte) ([]byte, error) {
	h, commands, err := ReadEntry(entry)
	if err != nil {
		return nil, err
	}
	var rest []byte
	var c Command
	refused := false
	for range h.Count {
		behind, err := c.decode(commands)
		if err != nil {
			return entry, nil
		}
		if grows(c.Op) {
			refused = true
			rest = AppendCommand(rest, &Command{Op: OpRefuse, User: c.User, Once: c.Once})
		} else {
			rest = append(rest, commands[:len(commands)-len(behind)]...)
		}
		commands = behind
	}
	if !refused {
		return entry, nil
	}
	return appendBatch(nil, entryRefusing, h, rest), nil
}
