package fsm

import "fmt"

// Bounds of what an entry can say. They are far from anything that a node makes in its life, and are here so
// that one wrong value, from whomever, does not become everybody's for ever.
const (
	// MaxIncarnation is more starts than a process can have, and leaves as many again above it.
	MaxIncarnation = 1 << 62
	// maxStamp is in the year 287396: the log's time never goes back.
	maxStamp = 1 << 53
	// maxCommands is how many commands a batch can have; the pipeline makes them of 1,024.
	maxCommands = 1 << 16
)

// Check tells whether an entry can be carried out: what is stored must be readable before it is stored, for
// every node that has it would come to its end at it, and again at each start. It reads all of the entry once
// for the checksum and once for the commands. The error is ErrCorrupt or ErrNewer, wrapped.
func Check(entry []byte) error {
	h, commands, err := readPlausible(entry)
	if err != nil {
		return err
	}
	return eachCommand(h.Version, h.Count, commands, func(*Command, []byte) {})
}

// readPlausible is ReadEntry, and looks at what the header says.
func readPlausible(entry []byte) (h Header, commands []byte, err error) {
	h, commands, err = ReadEntry(entry)
	switch {
	case err != nil:
	case h.Incarnation == 0 || h.Incarnation > MaxIncarnation || h.Sequence == 0:
		err = fmt.Errorf("%w: batch %d of incarnation %d", ErrCorrupt, h.Sequence, h.Incarnation)
	case h.Stamp < 0 || h.Stamp > maxStamp:
		err = fmt.Errorf("%w: stamp %d", ErrCorrupt, h.Stamp)
	case h.Count > maxCommands:
		err = fmt.Errorf("%w: %d commands", ErrCorrupt, h.Count)
	}
	return h, commands, err
}

// eachCommand calls do with each command of an entry of that version, and as it is encoded. The error is
// ErrCorrupt: a command that is malformed, or more than there should be.
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
