// Package session owns what a client of any protocol may do and is answered: who is logged in on this
// node, reads of its copy, writes handed to the node in groups, scans, and the brakes on failed logins.
//
// A [Sessions] is all of a node; while it has lists of keys (keyLists), a timer drops them. A [Session] is one
// client; it serves a request at a time (Do), in the goroutine of its connection, and answers through a
// protocol.Reply. Writes gather in a group that goes to the node as one; whatever is not a write waits for
// the writes before it. A GET looks at no timer, takes no lock of ours and allocates nothing.
//
// What it promises: exactly one reply for each request, in order, until it is over; a session is told to
// end as soon as its user's password has changed or the account is gone; a scan neither holds up those
// of other users nor the end of its session.
//
// What it never does: know a syntax or a connection, apply a write itself, ask another node for a read,
// know where the leader is, or log a key, a value or a password.
//
// Where the interface is silent:
//
//   - A LOGIN or SIGNUP that is refused for what it says (AUTH_FAILED, BAD_*, USER_EXISTS, QUOTA,
//     SIGNUP_CLOSED, a malformed line) counts as one of the five failures; the fifth answer is the last.
//     One that this node could not look at (LOADING, BUSY, NO_LEADER, TIMEOUT) does not count.
//   - LOGOUT starts the time for the login anew. What a client sends before login does not.
//   - A LOGIN that waits for bcrypt gives that up when its client resets the connection.
//   - An MGET keeps the values that it has yet to send as they were when it began.
//   - A KEYS goes over all keys of its user in slices of some milliseconds, and between two it lets the
//     KEYS of others go on. It ends there, unfinished, with SESSION_ENDED or SHUTTING_DOWN, or without
//     an answer when its client has reset the connection. What has been answered before it is sent
//     before it begins.
//   - A KEYS that goes on behind where another one of its user ended is served from a list of all keys, made once for
//     the walk, or of as many of those that follow as there is room for, see SetListBytes. Keys that are there throughout a walk are found, one that is written after it began may be missed,
//     and none is answered that has gone. A KEYS that goes on behind any other key shows all that is there.
//   - SCAN goes over the keys in the order of a keyed hash (fsm.Seed), and not in that of the cache's tables: theirs is
//     another on each node and after each restart, and a keyed hash that is not would cost each GET some ten
//     nanoseconds. So the order is made when somebody scans, in lists as those of KEYS. A page from a list freezes
//     nothing. A page behind a cursor that this node has not given out of late, after a restart or of an iteration
//     that goes from node to node, looks at all keys, unless nothing was written since there is a list.
//   - The seed is proposed by the first SCAN that there is, on whichever node: an upgrade can be undone until then.
//     Where the cluster cannot agree on one now, SCAN is answered BUSY.
//   - A node that is behind another may, in an iteration that comes from there, miss what it had not applied yet.
//   - A pattern that takes more than scanSteps on the user's keys is answered BUSY: there is no MORE for
//     it, as the keys are looked at in no order. Only ? and classes behind a * can take that much.
//   - Once nobody will see the answers, only writes and what ends something is still done.
package session
