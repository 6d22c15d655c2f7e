package protocol

import "slices"

// Advice is what to do with a command that was answered with an error.
type Advice int

// The advice.
const (
	ChangeIt      Advice = iota // the same again gets the same answer, anywhere
	SendElsewhere               // another node can do it now, this one later
	SendAgain                   // here or elsewhere, after a moment
	MakeRoom                    // the same again, once there is room
	NotKnown                    // it may have been done: send it again only if twice does no harm, or with ONCE
	Reconnect                   // comes unasked; nothing was left undone that had been answered
)

// ErrorCode is a row of the table of errors.
type ErrorCode struct {
	Code    Code
	Advice  Advice
	Closes  bool   // the connection is closed behind it
	Meaning string // one sentence
}

// errorCodes is the one list of them, in the order of interface 1.4.
var errorCodes = []ErrorCode{
	{UnknownCommand, ChangeIt, false, "There is no such command; the message may say which one was meant."},
	{Syntax, ChangeIt, false, "The line cannot be parsed, or would probably not do what you meant."},
	{Args, ChangeIt, false, "Too few or too many arguments; the message is the usage."},
	{AuthRequired, ChangeIt, false, "LOGIN or SIGNUP first."},
	{AlreadyLoggedIn, ChangeIt, false, "LOGOUT first."},
	{AuthFailed, ChangeIt, false, "Unknown user or wrong password; the fifth failure closes the connection."},
	{UserExists, ChangeIt, false, "The name is taken."},
	{BadUsername, ChangeIt, false, "A user name is 1 to 64 of A-Z a-z 0-9 . _ - @."},
	{BadPassword, ChangeIt, false, "A password is 1 to 72 bytes, without blanks at its ends, line ends or Ctrl-C."},
	{SignupClosed, ChangeIt, false, "Only the administrator adds users here."},
	{KeyTooLong, ChangeIt, false, "A key has 1 to 1,024 bytes."},
	{ValueTooLarge, ChangeIt, false, "The value is over the limit that the message names."},
	{LineTooLong, ChangeIt, false, "The line was skipped to its end."},
	{NotANumber, ChangeIt, false, "The value or the argument is not a 64-bit integer as INCR prints it."},
	{Overflow, ChangeIt, false, "The result would not fit into 64 bits."},
	{MemoryFull, MakeRoom, false, "Disks or memory are full: nothing that makes the data grow is stored. Deleting works."},
	{Quota, MakeRoom, false, "Your quota or your ids of ONCE, or the number of accounts, are at their limit."},
	{Busy, SendAgain, false, "Too much is waiting here."},
	{TooManyConnections, SendElsewhere, true, "Sent instead of the banner: this node, or your address, has reached its limit of connections. Answers a LOGIN: you have, to this node."},
	{Loading, SendElsewhere, false, "This node is catching up, or the user is being restored from a backup."},
	{NoLeader, SendAgain, false, "No majority of the nodes could be reached in time."},
	{Timeout, NotKnown, false, "There was no answer in time."},
	{ShuttingDown, SendElsewhere, true, "This node is stopping or draining. This may come unasked."},
	{IdleTimeout, Reconnect, true, "Nothing was sent for too long, or a long line arrived too slowly."},
	{LoginTimeout, Reconnect, true, "No login in time, or a line of it arrived too slowly."},
	{SessionEnded, Reconnect, true, "The password was changed, or the account was locked or removed."},
	{Internal, NotKnown, false, "An internal error; the node's log says more."},
}

// ErrorCodes returns the table of errors.
func ErrorCodes() []ErrorCode { return slices.Clone(errorCodes) }
