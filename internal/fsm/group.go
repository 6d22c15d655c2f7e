package fsm

// Group holds encoded commands that go into one batch together, in order.
type Group struct {
	Commands []byte // each encoded by AppendCommand
	Count    int
	// Version is the highest Since of their operations.
	Version int
	// User is the user of all commands in the group, for sharing between users; 0: none.
	User uint64
	// Work is about how many bytes of stored values the commands make every node copy, beyond their own bytes.
	Work int
}

// NewGroup returns a group of commands, of the first one's user.
func NewGroup(commands ...Command) Group {
	g := Group{User: commands[0].User}
	for i := range commands {
		g.Append(&commands[i])
	}
	return g
}

// Append adds a command.
func (g *Group) Append(c *Command) {
	g.Commands = AppendCommand(g.Commands, c)
	g.Count++
	g.Version = max(g.Version, c.Since())
}
