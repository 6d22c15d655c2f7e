package resp

// Error is an error reply: a code in capitals, a blank, and a message, without a line end. Clients decide by the code
// and match on the words, which are Redis' unless the command is ours.
type Error string

// Error returns the reply.
func (e Error) Error() string { return string(e) }

// The errors of arguments.
const (
	ErrSyntax     Error = "ERR syntax error"
	ErrNotInteger Error = "ERR value is not an integer or out of range" // an argument, or the value of a key
	ErrNotFloat   Error = "ERR value is not a valid float"              // likewise
	ErrCursor     Error = "ERR invalid cursor"
	ErrDBIndex    Error = "ERR DB index is out of range"
	ErrSameObject Error = "ERR source and destination objects are the same"
)

// The errors of what is done.
const (
	ErrOverflow  Error = "ERR increment or decrement would overflow"
	ErrDecrement Error = "ERR decrement would overflow" // DECRBY of a number that cannot be negated
	ErrNaN       Error = "ERR increment would produce NaN or Infinity"
	ErrOffset    Error = "ERR offset is out of range" // SETRANGE
	ErrNoKey     Error = "ERR no such key"            // RENAME
	ErrTooLarge  Error = "ERR transaction too large, at most 4 MiB of writes"
)

// The errors of a connection's state.
const (
	ErrNoAuth       Error = "NOAUTH Authentication required."
	ErrHelloNoAuth  Error = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	ErrWrongPass    Error = "WRONGPASS invalid username-password pair or user is disabled."
	ErrNoProto      Error = "NOPROTO unsupported protocol version"
	ErrProto        Error = "ERR Protocol version is not an integer or out of range"
	ErrNested       Error = "ERR MULTI calls can not be nested"
	ErrWatchInMulti Error = "ERR WATCH inside MULTI is not allowed"
	ErrExecAlone    Error = "ERR EXEC without MULTI"
	ErrDiscardAlone Error = "ERR DISCARD without MULTI"
	ErrExecAbort    Error = "EXECABORT Transaction discarded because of previous errors."
	ErrNoScript     Error = "NOSCRIPT No matching script. Please use EVAL."
)
