// Package auth owns passwords: what a user name and a password may look like, how a password becomes
// a bcrypt hash, and how a login is checked without letting guessers take the machine from everybody
// else.
//
// There are only a few parts:
//
//   - ValidUser and ValidPassword are the grammar.
//   - Hasher runs bcrypt in the caller's goroutine, a few at a time.
//   - Behind it a gate gives out the turns, fairly between client addresses and, within one, between
//     the users that are asked for; a memory of failures slows down whoever guesses; and a login cache
//     spares bcrypt for a login that it has seen.
//   - sharing has equal logins that wait at the same time make do with one run, if they are right.
//
// What it promises: at most Options.Parallel bcrypt runs at any moment; an address with many waiters
// cannot starve another's, nor guesses at one user another user's login; an unknown user costs the
// same time and gets the same error as a wrong password; a wrong password costs a run each time, however
// many try the same one; a correct password is never refused for what
// others (or its owner) got wrong before; all memory is bounded.
//
// What it never does: start a goroutine, keep a password or put one into an error, store users, or
// decide anything that must be the same on all nodes. Failures and cached logins are this process's
// own and are gone with it.
package auth
