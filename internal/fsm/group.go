package fsm

// Group is encoded commands that go into one batch together, in order.
type Group struct {
	Commands []byte // each as AppendCommand has it
	Count    int
	// Version is the highest Since of their operations.
	Version int
	// User is whose they are, as far as users take turns: all of a group's commands are of one; 0: nobody's.
	User uint64
	// Work is about how many bytes of stored values they make every node copy beside their own.
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
	g.Version = max(g.Version, c.Op.Since())
}
