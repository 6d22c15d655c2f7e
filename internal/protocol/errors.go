package protocol

import (
	"slices"
	"strings"
)

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
	{Syntax, ChangeIt, false, "The line cannot be read, or would be read otherwise than it was meant."},
	{Args, ChangeIt, false, "Too few or too many arguments; the message is the usage."},
	{AuthRequired, ChangeIt, false, "LOGIN or SIGNUP first."},
	{AlreadyLoggedIn, ChangeIt, false, "LOGOUT first."},
	{AuthFailed, ChangeIt, false, "Unknown user or wrong password; the fifth failure closes the connection."},
	{UserExists, ChangeIt, false, "The name is taken."},
	{BadUsername, ChangeIt, false, "A user name is 1 to 64 of A-Z a-z 0-9 . _ - @."},
	{BadPassword, ChangeIt, false, "A password is 1 to 72 bytes, and one that every way to log in can give."},
	{SignupClosed, ChangeIt, false, "Only the administrator adds users here."},
	{KeyTooLong, ChangeIt, false, "A key has 1 to 1,024 bytes."},
	{ValueTooLarge, ChangeIt, false, "The value is over the limit that the message names."},
	{LineTooLong, ChangeIt, false, "The line was skipped to its end."},
	{NotANumber, ChangeIt, false, "The value or the argument is no 64-bit integer as INCR prints one."},
	{Overflow, ChangeIt, false, "The result would not fit into 64 bits."},
	{MemoryFull, MakeRoom, false, "There is no room for what makes the data grow; deleting works."},
	{Quota, MakeRoom, false, "Your account, or the number of accounts, is at its limit."},
	{Busy, SendAgain, false, "Too much is waiting here."},
	{TooManyConnections, SendElsewhere, true, "Instead of the banner: this node, or your address, has all the connections that it may have."},
	{Loading, SendElsewhere, false, "This node is catching up."},
	{NoLeader, SendAgain, false, "No majority of the nodes could be reached in time."},
	{Timeout, NotKnown, false, "There was no answer in time."},
	{ShuttingDown, SendElsewhere, true, "This node stops. It comes unasked too."},
	{IdleTimeout, Reconnect, true, "Nothing was sent for too long, or a long line came too slowly."},
	{LoginTimeout, Reconnect, true, "No login in time, or a line of it came too slowly."},
	{SessionEnded, Reconnect, true, "The password was changed or the account is gone."},
	{Internal, NotKnown, false, "A mistake of ours; the node's log says more."},
}

// ErrorCodes returns the table of errors.
func ErrorCodes() []ErrorCode { return slices.Clone(errorCodes) }

// advised is what HELP ERRORS says of each advice.
var advised = []struct {
	advice Advice
	text   string
}{
	{ChangeIt, "Change it; the same again gets the same answer:"},
	{SendAgain, "Send it again after a moment, here or elsewhere:"},
	{SendElsewhere, "Send it to another node, or here later:"},
	{MakeRoom, "Send it again once there is room:"},
	{NotKnown, "Not known whether it was done; with ONCE it is safe to send it again:"},
	{Reconnect, "Unasked, and the connection is closed; connect again:"},
}

// helpErrors is the reply to HELP ERRORS. It fits a screen of 80 x 24.
var helpErrors = func() string {
	var b strings.Builder
	b.WriteString("An error is ERR CODE message, the code for programs, the message for people.\n")
	b.WriteString("Nothing was done and nothing will be, but where that is said not to be known.\n")
	for _, a := range advised {
		b.WriteString(a.text + "\n")
		line := " "
		for _, e := range errorCodes {
			if e.Advice != a.advice {
				continue
			}
			if len(line)+1+len(e.Code) > 79 {
				b.WriteString(line + "\n")
				line = " "
			}
			line += " " + string(e.Code)
		}
		b.WriteString(line + "\n")
	}
	b.WriteString("SHUTTING_DOWN comes unasked too, TOO_MANY_CONNECTIONS instead of the banner.\n")
	b.WriteString("END\n")
	return b.String()
}()
