// Package protocol is the client protocol of ciderd as bytes: it turns a stream into lines, a line
// into a Request, and a value or an error into the bytes of a reply.
//
// There are few types. A [Reader] splits a stream into lines and takes telnet's sequences out of
// it (a [Filter] does that). A [Parser] turns one line into a [Request] or an [Error]. A [Glob] is
// a compiled pattern of KEYS. The table in command.go is the only list of commands: parsing, usage
// texts, HELP and the rules of ONCE and of login all come from it.
//
// It promises that hostile input costs bounded memory and time, that a line is parsed the same
// however the network cut it, that SET stores what GET printed ([AppendValue]), and that the
// common commands are read and parsed without allocating.
//
// It never starts a goroutine, sets a deadline, writes to a connection, knows who is logged in, or
// puts a value, a key or a password into an error message. Whether a user name or a password is
// acceptable is decided elsewhere.
package protocol
