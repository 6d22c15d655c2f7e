// Package server owns the ports that clients connect to and their connections: accepting, the limits on
// connections and on the memory that clients may take, deadlines, and shutdown.
//
// One goroutine serves a connection from beginning to end. A socket is the transport: it has the deadlines, and
// only it knows that it is TCP. On a port that encrypts an encryption lies between it and what is above. An output
// holds the replies in flight to the client. A client is one client of any protocol: its socket, its output, its
// session, and the time and memory it may take. textClient speaks the line protocol; another protocol gets its own
// client type.
//
// It promises: every complete line that came before an EOF is done; a client that does not read its replies is not
// read from, so it holds bounded memory; a session that has been told to end does so before its next command, and
// at once if it is idle; a panic ends only one session.
//
// A port that encrypts promises all of that too, and: a handshake takes of the time of the login that follows, counts
// as a connection, and computes in a slot of a fair queue over client addresses (see handshakes); a certificate can be
// replaced at any time, for the handshakes to come; nobody who ends a connection waits for its client.
//
// A connection from one of Config.ProxyFrom must begin with a header of the PROXY protocol, version 2. The client
// address that it names is the one that limits, logins and logs see. Without a header that is right it is closed. From
// all other addresses a header is bad input.
//
// It never decides what a client may do or is answered, applies a write, knows a node or its cluster, or logs a
// key, a value or a password.
//
// Where the interface document is silent:
//
//   - PING text is answered by the rule for values, quoted where it could be misread.
//   - A reset ends the wait of a LOGIN, see watch. A mere end of input does not: it may come from a client
//     that half-closes its socket and reads to the end.
//   - A line that has begun before login must arrive at some rate, else LOGIN_TIMEOUT; see minimumRate. It is
//     bounded by 20 s of silence, and allows a person who types a character a second. A long line after
//     login has a minimum rate too, of 8 KiB a second, else IDLE_TIMEOUT.
//   - A line that is dropped because the long lines of its user, or of its address, take more than their share
//     of the memory for such lines (see shares) is answered BUSY, not LINE_TOO_LONG: it is fine to send it again.
//   - A large value is sent as it is stored, or quoted in pieces. What that takes in addition to the cache, of
//     all clients that take nothing at present, is bounded by MaxOutput: those that hold most are disconnected.
//     So is a client that takes nothing for StallTimeout; one that takes a little now and then is not.
//   - TLS's close_notify from a client is the end of its input, as a FIN is on the plain port; a FIN without it is
//     as well, see encryption. The server's own comes behind the last reply, before its FIN.
//   - What does not speak TLS on a port that does gets a line that says so, and is closed.
//   - A client over a limit is told so on a port that encrypts, too: it gets a handshake, within three seconds.
//   - A connection of a proxy that speaks for itself (LOCAL), or for a client without an address, counts for the
//     proxy's address.
//   - After the write side of a connection has failed, the lines that arrive are still done, as after an
//     EOF; but a client that was disconnected for not reading is no longer served.
package server
