// Package auth owns passwords: what a user name and a password may look like, how a password becomes
// a bcrypt hash, and how a login is checked without letting guessers take the machine from everybody
// else.
//
// There are only a few parts:
//
//   - ValidUser and ValidPassword are the grammar.
//   - Hasher runs bcrypt in the caller's goroutine, a few at a time.
//   - Behind it a semaphore gives out the slots: to three classes, within one fairly between client addresses
//     (networks, when many addresses wait), and within an address between the users that are asked for.
//   - A memory of failures slows down guessers, and one of earlier logins puts those into a class of
//     their own.
//   - A login cache spares bcrypt for a login that it has seen, and sharing for one that waits beside an
//     equal one that is right.
//
// What it promises: at most Options.Parallel bcrypt runs at any moment; an address with many waiters
// cannot starve another's, nor a network with many addresses another network, nor guesses at one user
// another user's login; an unknown user costs the same time and gets the same error as a wrong password;
// each wrong password costs a run, however many try the same one at once; a correct password is never
// refused for what others (or its owner) got wrong before; all memory is bounded, that of waiters by
// the number of callers.
//
// What it never does: start a goroutine, keep a password or put one into an error, store users, or
// decide anything that must be the same on all nodes. Failures, cached and earlier logins are this
// process's own and are gone with it.
//
// What it does not stop: a guesser with an address in each of a thousand networks has a thousand shares
// of its class until its first failures, and then of every fourth slot.
package auth
