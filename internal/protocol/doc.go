// Package protocol is what a client and a node say to each other, without how it is written: the table
// of commands, requests, replies, error codes, and the limits, durations and globs in them.
//
// There are few types. A [Request] is one command. The table of [Command] rows is the only list of
// commands: parsers, help, and what serves a command go by it. A session answers through a [Reply].
// A [Glob] is a compiled pattern of KEYS. Each way to write all this is a package below this one.
//
// It promises that hostile durations and patterns cost bounded memory and time.
//
// It never knows a syntax, a session or a connection, starts a goroutine, or puts a value, a key or a
// password into an error message. Whether a user name or a password is acceptable is decided elsewhere.
package protocol
