package resp

// Error is an error reply: a code in capitals, a blank, and a message, without a line end. Clients decide by the code
// and match on the words, which are Redis' unless the command is ours.
type Error string

// Error returns the reply.
func (e Error) Error() string { return string(e) }

// The errors that more than one command answers.
const (
	ErrSyntax     Error = "ERR syntax error"
	ErrNotInteger Error = "ERR value is not an integer or out of range"
	ErrNotFloat   Error = "ERR value is not a valid float"
	ErrNaN        Error = "ERR increment would produce NaN or Infinity"
	ErrOverflow   Error = "ERR increment or decrement would overflow"
	ErrCursor     Error = "ERR invalid cursor"
	ErrDBIndex    Error = "ERR DB index is out of range"
	ErrSameObject Error = "ERR source and destination objects are the same"
	ErrNoAuth     Error = "NOAUTH Authentication required."
)
