// Package text is the line protocol, the one that people and scripts speak, as bytes: it turns a stream
// into lines, a line into a request, and an answer into the bytes of a reply.
//
// A [Reader] splits a stream into lines and takes telnet's sequences out of it (a [Filter] does that).
// A [Parser] turns one line into a request or an error. A [Writer] writes what a session answers. An
// [Opening] tells a browser from a client.
//
// It promises that hostile input costs bounded memory and time, that a line is parsed the same
// however the network cut it, that SET stores what GET printed ([AppendValue]), and that the
// common commands are read, parsed and answered without allocating.
//
// It never starts a goroutine, sets a deadline, writes to a connection itself, knows who is logged in,
// or puts a value, a key or a password into an error message.
package text
