// Package resp is the Redis protocol (RESP 2 and 3) as bytes, and what Redis says about the words in it: it turns a
// stream into requests, and answers into the bytes of replies.
//
// A [Reader] splits a stream into requests, each a list of arguments. The table of [Command] rows says what commands
// there are, how many arguments they take and which of these are keys; [Lookup] finds one, or the words of the refusal.
// Parsers read arguments by Redis' rules: numbers, options, patterns, times. A [Writer] writes each type of reply.
//
// It promises that hostile input costs memory in proportion to what has arrived, up to the limits, and bounded time;
// that a request is read the same however the network cut it; that errors have the words of Redis 7.0, which clients
// match on; and that a request of few arguments is read, and a value written, without allocating.
//
// It never starts a goroutine, sets a deadline, writes to a connection itself, or knows who is logged in or what
// becomes of a request. Unlike the line protocol it repeats a client's words to it where Redis does.
package resp
