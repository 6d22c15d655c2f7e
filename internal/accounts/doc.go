// Package accounts owns what becomes of an account: it is made, its password is checked and changed, it
// is removed. Sessions of every protocol and operators come here, so each rule stands once.
//
// It promises that a password is hashed and compared on this node and never enters the log; that a
// password which this node has just stored opens without a compare; that a removal, or a change of the
// password, happens only if the password is still the one that was verified, unless an operator asks for it; and that nothing was done
// when it says so.
//
// It never knows a session or a protocol, keeps a user or a password, or decides who may log in from
// where. All methods may be called from any goroutine; they wait in the caller's.
package accounts
