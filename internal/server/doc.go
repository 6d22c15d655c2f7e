// Package server owns the client sessions: it reads lines from connections, turns each into a read of
// this node's copy or a write handed to the node, and prints the replies in order. It also owns who is
// logged in on this node, and the limits on connections.
//
// One goroutine serves a connection from its banner to its end, so a session's state needs no locks.
// It goes round one loop (session.run):
//
//   - While complete lines are buffered it does them. A read is answered at once; writes gather in a
//     group (group.go) that goes to the node as one; whatever is not a write waits for the writes
//     before it. Nothing in this part looks at a timer, takes a lock or, for a GET, allocates.
//   - When none is left (session.fill) it waits for the writes, sends all answers at once, gives its
//     buffers back and blocks in a Read: an idle connection costs its stack and about 2 KiB.
//
// What it promises: exactly one reply for each command line, in order, as long as the session lasts;
// every complete line that came before an EOF is done; a client that does not read its replies is not
// read from, so it holds bounded memory; a session ends before its next command once its user's
// password has changed or the account is gone, and at once if it is idle; a panic ends one session.
//
// What it never does: apply a write itself, ask another node for a read, know where the leader is, or
// log a key, a value or a password.
//
// Where the interface is silent:
//
//   - PING text is answered by the rule for values, quoted where it could be misread.
//   - A LOGIN or SIGNUP that is refused for what it says (AUTH_FAILED, BAD_*, USER_EXISTS, QUOTA,
//     SIGNUP_CLOSED, a malformed line) counts as one of the five failures; the fifth answer is the last
//     line. One that this node could not look at (LOADING, BUSY, NO_LEADER, TIMEOUT) does not count.
//   - LOGOUT starts the time for the login anew. What a client sends before login does not.
//   - A LOGIN that waits for its turn gives that up when its client resets the connection; see untilHungUp.
//     After a mere end of input, as of who closes a socket that it has read to the end, it does not.
//   - A line that has begun before login must come at some pace, else LOGIN_TIMEOUT; see pace. It is
//     bounded by 20 s of silence, and leaves alone whoever types a character a second. A long line after
//     login has a pace too, of 8 KiB a second, else IDLE_TIMEOUT.
//   - A line that is dropped because the long lines of its user, or of its address, take more than their share
//     of the memory for such lines (see shares) is answered BUSY, not LINE_TOO_LONG: it is fine to send it again.
//   - A large value is sent as it is stored, or quoted in pieces, and an MGET keeps the values that it has yet
//     to send as they were at its cut. What that takes beside the cache, of all sessions whose clients take
//     nothing at the moment, is bounded by MaxOutput: those that hold most are cut off. A session is cut off
//     too when its client takes nothing for StallTimeout; while it takes a little now and then, it is not.
//   - A KEYS goes over all keys of its user in slices of some milliseconds, and between two it lets the
//     KEYS of others have their turn. It ends there, unfinished, with SESSION_ENDED or SHUTTING_DOWN, or
//     without an answer when its client has reset the connection: lines that came behind it are still
//     done in that last case only. What has been answered before it is sent before it begins.
//   - A pattern that takes more than scanSteps on the user's keys is answered BUSY: there is no MORE for
//     it, as the keys are looked at in no order. Only ? and classes behind a * can take that much.
//   - After the write side of a connection has failed, the lines that come are still done, as after an
//     EOF; but a client that was cut off for not reading is not served any more.
package server
