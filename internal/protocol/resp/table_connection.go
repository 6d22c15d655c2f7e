package resp

// anytime is what most commands have that are about the connection: they need no data.
const anytime = NoScript | Loading | Stale

// login is what the commands have that come before a login.
const login = anytime | Fast | NoAuth | AllowBusy

var connectionCommands = []Command{
	{Name: "hello", Arity: -1, Flags: login, Group: Connection,
		Since: "6.0.0", Summary: "Chooses the protocol's version, and may log in."},
	{Name: "auth", Arity: -2, Flags: login, Group: Connection, Since: "1.0.0", Summary: "Logs in."},
	{Name: "ping", Arity: -1, Flags: Fast, Group: Connection, Since: "1.0.0", Summary: "Answers PONG, or its argument."},
	{Name: "echo", Arity: 2, Flags: Loading | Stale | Fast, Group: Connection, Since: "1.0.0", Summary: "Answers its argument."},
	{Name: "quit", Arity: -1, Flags: login | AtOnce, Group: Connection, Since: "1.0.0", Summary: "Ends the connection."},
	{Name: "reset", Arity: 1, Flags: login | AtOnce, Group: Connection,
		Since: "6.2.0", Summary: "Makes the connection as it was when it began."},
	{Name: "select", Arity: 2, Flags: Loading | Stale | Fast, Group: Connection,
		Since: "1.0.0", Summary: "Chooses a database; there is only 0."},
	{Name: "client", Arity: -2, Group: Connection,
		Since: "2.4.0", Summary: "Commands about connections.", Subcommands: clientCommands},
	{Name: "command", Arity: -1, Flags: Loading | Stale, Group: Server, Also: "connection",
		Since: "2.8.13", Summary: "Tells what commands there are.", Subcommands: commandCommands},
	{Name: "readonly", Arity: 1, Flags: Loading | Stale | Fast, Group: Cluster, Also: "connection",
		Since: "3.0.0", Summary: "Changes nothing: every node answers reads."},
	{Name: "readwrite", Arity: 1, Flags: Loading | Stale | Fast, Group: Cluster, Also: "connection",
		Since: "3.0.0", Summary: "Changes nothing: every node takes writes."},
	{Name: "acl", Arity: -2, Group: Server, Since: "6.0.0", Summary: "Commands about users.", Subcommands: []Command{
		{Name: "acl|whoami", Arity: 2, Flags: anytime, Group: Server, Since: "6.0.0", Summary: "Tells who is logged in."},
	}},
}

var clientCommands = []Command{
	{Name: "client|id", Arity: 2, Flags: anytime, Group: Connection, Since: "5.0.0", Summary: "Tells the connection's number."},
	{Name: "client|getname", Arity: 2, Flags: anytime, Group: Connection,
		Since: "2.6.9", Summary: "Tells the connection's name."},
	{Name: "client|setname", Arity: 3, Flags: anytime, Group: Connection, Since: "2.6.9", Summary: "Names the connection."},
	{Name: "client|setinfo", Arity: 4, Flags: anytime, Group: Connection,
		Since: "7.2.0", Summary: "Notes the client's library or its version."},
	{Name: "client|info", Arity: 2, Flags: anytime, Group: Connection, Since: "6.2.0", Summary: "Tells about the connection."},
	{Name: "client|list", Arity: -2, Flags: anytime | Admin, Group: Connection,
		Since: "2.4.0", Summary: "Lists your own connections."},
	{Name: "client|kill", Arity: -3, Flags: anytime | Admin, Group: Connection,
		Since: "2.4.0", Summary: "Ends one of your own connections."},
	{Name: "client|no-evict", Arity: 3, Flags: anytime | Admin, Group: Connection, Since: "7.0.0", Summary: "Changes nothing."},
	{Name: "client|no-touch", Arity: 3, Flags: anytime, Group: Connection,
		Since: "7.2.0", Summary: "Has reads not count as a use of an item."},
	{Name: "client|reply", Arity: 3, Flags: anytime, Group: Connection,
		Since: "3.2.0", Summary: "Turns replies off and on, or skips one."},
	{Name: "client|pause", Arity: -3, Flags: anytime | Admin | Refused, Group: Connection,
		Since: "2.9.50", Summary: "Is refused."},
	{Name: "client|unpause", Arity: 2, Flags: anytime | Admin | Refused, Group: Connection,
		Since: "6.2.0", Summary: "Is refused."},
	{Name: "client|tracking", Arity: -3, Flags: anytime | Refused, Group: Connection, Since: "6.0.0", Summary: "Is refused."},
	{Name: "client|caching", Arity: 3, Flags: anytime | Refused, Group: Connection, Since: "6.0.0", Summary: "Is refused."},
}

var commandCommands = []Command{
	{Name: "command|count", Arity: 2, Flags: Loading | Stale, Group: Server, Also: "connection",
		Since: "2.8.13", Summary: "Counts the commands."},
	{Name: "command|docs", Arity: -2, Flags: Loading | Stale, Group: Server, Also: "connection",
		Since: "7.0.0", Summary: "Tells what commands are for."},
	{Name: "command|info", Arity: -2, Flags: Loading | Stale, Group: Server, Also: "connection",
		Since: "2.8.13", Summary: "Tells the arguments, flags and keys of commands."},
	{Name: "command|getkeys", Arity: -4, Flags: Loading | Stale, Group: Server, Also: "connection",
		Since: "2.8.13", Summary: "Tells which arguments of a command are keys."},
	{Name: "command|list", Arity: -2, Flags: Loading | Stale, Group: Server, Also: "connection",
		Since: "7.0.0", Summary: "Lists the names of commands."},
}
