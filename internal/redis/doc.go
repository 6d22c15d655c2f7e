// Package redis says what each command of Redis means here: which write it is, what it reads, and with which of Redis'
// types and words it is answered.
//
// A [Sessions] is all of a node's clients of this protocol. A [Session] is one: it wraps a session.Session, which has
// the login, the brakes on it, the groups of writes and the counts, as for every protocol. Serve does a request; where
// a command is done is in handlers (table.go), by its number in the table of package resp.
//
// There are five kinds of commands. One that is about the connection is run. One that reads keys, or the whole
// keyspace, gets the items to answer with, wherever they come from: this node's copy, or in a transaction what the
// cluster saw when it was applied. One that writes fills in a fsm.Command, and names the function that turns its result
// into a reply, when that comes. So a transaction needs nothing of a command that the command alone does not need.
//
// What it promises: exactly one reply for each request, in order, until the session is over (or the client has turned
// replies off); a burst of writes, transactions too, is proposed without waiting; what a transaction holds is bounded.
//
// What it never does: know a connection, count a login, apply a write itself, or put a value or a password into an error.
//
// Where Redis' documents are silent, or this differs:
//
//   - A write is an operation of the first version of entries wherever there is one that means the same, so that it works
//     while a cluster is upgraded. The others are refused until then: ERR, nothing was done.
//   - GETEX looks at its time only if the key is there, on this node.
//   - AUTH of a session that is logged in makes it another user's; if it fails, it stays whose it was.
//   - Commands that answer without items (PING, CLIENT ID) are done in place when EXEC is answered. CLIENT REPLY may not
//     stand in a transaction, as its silence would be missing in the list of replies.
//   - A command with an empty key, or one that is too long, is refused when it is queued, and so is EXEC then.
//   - KEYS answers all keys or none: beyond 16 MiB of keys it is refused.
//   - RANDOMKEY chooses about evenly.
//   - A node without a file is the cluster "default" to clients in Sentinel mode, at the address where they have found it.
package redis
