package resp

var transactionCommands = []Command{
	{Name: "multi", Arity: 1, Flags: anytime | Fast | AllowBusy | AtOnce | NoMulti, Group: Transactions,
		Since: "1.2.0", Summary: "Begins a transaction: what follows is queued."},
	{Name: "exec", Arity: 1, Flags: anytime | SkipSlowlog | AtOnce, Group: Transactions,
		Since: "1.2.0", Summary: "Does all that is queued, or nothing."},
	{Name: "discard", Arity: 1, Flags: anytime | Fast | AllowBusy | AtOnce, Group: Transactions,
		Since: "2.0.0", Summary: "Forgets what is queued."},
	{Name: "watch", Arity: -2, Flags: anytime | Fast | AllowBusy | AtOnce | NoMulti, Keys: manyKeys("RO"), Group: Transactions,
		Since: "2.2.0", Summary: "Has the next EXEC do nothing if one of the keys changes before it."},
	{Name: "unwatch", Arity: 1, Flags: anytime | Fast | AllowBusy, Group: Transactions,
		Since: "2.2.0", Summary: "Forgets what is watched."},
}

const scriptFlags = NoScript | Stale | SkipMonitor | NoMandatoryKeys | MovableKeys

var scriptCommands = []Command{
	{Name: "eval", Arity: -3, Flags: scriptFlags, Keys: countedKeys("RW access update"), Group: Scripting,
		Since: "2.6.0", Summary: "Runs a script."},
	{Name: "evalsha", Arity: -3, Flags: scriptFlags, Keys: countedKeys("RW access update"), Group: Scripting,
		Since: "2.6.0", Summary: "Runs a script that was loaded, by its hash."},
	{Name: "eval_ro", Arity: -3, Flags: scriptFlags | ReadOnly, Keys: countedKeys("RO access"), Group: Scripting,
		Since: "7.0.0", Summary: "Runs a script that may not write."},
	{Name: "evalsha_ro", Arity: -3, Flags: scriptFlags | ReadOnly, Keys: countedKeys("RO access"), Group: Scripting,
		Since: "7.0.0", Summary: "Runs a loaded script that may not write."},
	{Name: "script", Arity: -2, Group: Scripting, Since: "2.6.0", Summary: "Commands about scripts.", Subcommands: []Command{
		{Name: "script|load", Arity: 3, Flags: NoScript | Stale, Group: Scripting,
			Since: "2.6.0", Summary: "Keeps a script, and answers its hash."},
		{Name: "script|exists", Arity: -3, Flags: NoScript, Group: Scripting,
			Since: "2.6.0", Summary: "Tells which scripts are kept."},
		{Name: "script|flush", Arity: -2, Flags: NoScript, Group: Scripting, Since: "2.6.0", Summary: "Forgets all scripts."},
	}},
}

var serverCommands = []Command{
	{Name: "info", Arity: -1, Flags: Loading | Stale, Group: Server, Also: "dangerous",
		Since: "1.0.0", Summary: "Tells about the node and your data."},
	{Name: "config", Arity: -2, Group: Server, Since: "2.0.0", Summary: "Commands about settings.", Subcommands: []Command{
		{Name: "config|get", Arity: -3, Flags: anytime | Admin, Group: Server,
			Since: "2.0.0", Summary: "Tells the settings that clients ask for."},
	}},
	{Name: "time", Arity: 1, Flags: Loading | Stale | Fast, Group: Server, Since: "2.6.0", Summary: "Tells the time."},
	{Name: "memory", Arity: -2, Group: Server, Since: "4.0.0", Summary: "Commands about memory.", Subcommands: []Command{
		{Name: "memory|usage", Arity: -3, Flags: ReadOnly, Keys: keyAt(2, "RO"), Group: Server,
			Since: "4.0.0", Summary: "Tells how many bytes a key counts for."},
	}},
	{Name: "wait", Arity: 3, Flags: NoScript, Group: Generic, Also: "only connection",
		Since: "3.0.0", Summary: "Tells how many other nodes have the last write for certain."},
	{Name: "role", Arity: 1, Flags: anytime | Fast, Group: Server, Also: "admin dangerous",
		Since: "2.8.12", Summary: "Tells that this node takes writes."},
	{Name: "subscribe", Arity: -2, Flags: anytime | PubSub, Group: Channels,
		Since: "2.0.0", Summary: "Asks to be told when the node stops."},
	{Name: "unsubscribe", Arity: -1, Flags: anytime | PubSub, Group: Channels, Since: "2.0.0", Summary: "Ends a SUBSCRIBE."},
	{Name: "psubscribe", Arity: -2, Flags: anytime | PubSub, Group: Channels,
		Since: "2.0.0", Summary: "Asks to be told when the node stops."},
	{Name: "sentinel", Arity: -2, Flags: Admin, Group: Sentinel,
		Since: "2.8.4", Summary: "Commands that find a node.", Subcommands: []Command{
			{Name: "sentinel|get-master-addr-by-name", Arity: 3, Flags: anytime | Admin, Group: Sentinel,
				Since: "2.8.4", Summary: "Tells a node that takes writes."},
			{Name: "sentinel|masters", Arity: 2, Flags: anytime | Admin, Group: Sentinel,
				Since: "2.8.4", Summary: "Tells about this node, as the master of its cluster."},
			{Name: "sentinel|master", Arity: 3, Flags: anytime | Admin, Group: Sentinel, Since: "2.8.4", Summary: "Tells about this node."},
			{Name: "sentinel|replicas", Arity: 3, Flags: anytime | Admin, Group: Sentinel,
				Since: "5.0.0", Summary: "Lists the other nodes."},
			{Name: "sentinel|sentinels", Arity: 3, Flags: anytime | Admin, Group: Sentinel,
				Since: "2.8.4", Summary: "Lists the other nodes."},
			{Name: "sentinel|myid", Arity: 2, Flags: anytime | Admin, Group: Sentinel, Since: "6.2.0", Summary: "Tells this node's id."},
		}},
}

var ownCommands = []Command{
	{Name: "signup", Arity: 3, Flags: login | NoMulti, Group: Ours, Also: "connection",
		Summary: "Makes an account, and logs in."},
	{Name: "ciderd.once", Arity: -3, Flags: Write | DenyOOM | NoScript | NoMulti | MovableKeys, Keys: wrappedKeys("RW access update"), Group: Ours,
		Summary: "Does a write once, however often it is sent with the same id."},
	{Name: "ciderd.sync", Arity: 1, Flags: NoScript | NoMulti, Group: Ours,
		Summary: "Waits until this node has all that was acknowledged anywhere."},
	{Name: "ciderd.getv", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey("RO access"), Group: Ours,
		Summary: "Tells the version, the seconds left and the value of a key."},
	{Name: "ciderd.cas", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: oneKey("RW access update"), Group: Ours,
		Summary: "Sets the value of a key if its version is the given one."},
}
