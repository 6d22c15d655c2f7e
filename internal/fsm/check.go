package fsm

import "fmt"

// Bounds of the values in an entry. They are far above anything that a node reaches in its life. They keep one
// wrong value, whatever its source, from becoming permanent on every node.
const (
	// MaxIncarnation is more than a process can ever be started, and leaves as many values again above it.
	MaxIncarnation = 1 << 62
	// maxStamp is in the year 287396. The bound matters because the log's time never goes back.
	maxStamp = 1 << 53
	// maxCommands is the most commands in a batch; the pipeline makes batches of up to 1,024.
	maxCommands = 1 << 16
)

// Check reports whether an entry can be applied. An entry must be readable before it is stored: otherwise every
// node that has it would stop there, and again after each restart. Check reads the whole entry once for the
// checksum and once for the commands. The error is ErrCorrupt or ErrNewer, wrapped.
func Check(entry []byte) error {
	h, commands, err := readPlausible(entry)
	if err != nil || h.Eviction {
		return err
	}
	return eachCommand(h.Version, h.Count, commands, func(*Command, []byte) {})
}

// readPlausible is ReadEntry with a check of the header's values.
func readPlausible(entry []byte) (h Header, commands []byte, err error) {
	h, commands, err = ReadEntry(entry)
	switch {
	case err != nil:
	case h.Eviction:
		err = checkEviction(entry)
	case h.Incarnation == 0 || h.Incarnation > MaxIncarnation || h.Sequence == 0:
		err = fmt.Errorf("%w: batch %d of incarnation %d", ErrCorrupt, h.Sequence, h.Incarnation)
	case h.Stamp < 0 || h.Stamp > maxStamp:
		err = fmt.Errorf("%w: stamp %d", ErrCorrupt, h.Stamp)
	case h.Count > maxCommands:
		err = fmt.Errorf("%w: %d commands", ErrCorrupt, h.Count)
	}
	return h, commands, err
}

// eachCommand calls do with each command of an entry of that version, decoded and encoded. The error is ErrCorrupt:
// a malformed command, or bytes after the last one.
func eachCommand(version byte, count int, commands []byte, do func(c *Command, encoded []byte)) error {
	var c Command
	for i := range count {
		rest, err := c.decode(commands, version)
		if err != nil {
			return fmt.Errorf("%w: command %d of %d: %w", ErrCorrupt, i+1, count, err)
		}
		do(&c, commands[:len(commands)-len(rest)])
		commands = rest
	}
	if len(commands) > 0 {
		return fmt.Errorf("%w: %d bytes behind the last command", ErrCorrupt, len(commands))
	}
	return nil
}
