package protocol

// Word is a reply that is one of a few fixed ones.
type Word uint8

// The words.
const (
	OK        Word = iota
	NotFound       // there is no such item
	Exists         // NX: the key was there already
	NoTTL          // the item has no deadline
	True           // there is such an item
	False          // there is none
	Pong           // to a PING without a text
	Bye            // the connection ends
	SignedUp       // the account is made, and the session is its user's
	LoggedIn       // the session is the user's
	LoggedOut      // the session is nobody's
)

// Reply is where a session answers: one command after another, each with exactly one reply. Large
// values are sent in pieces, so a method may block until the client has taken some; when nobody can be
// answered any more, what is answered goes nowhere.
//
// A Reply is for one goroutine. It keeps none of the slices that it is given.
type Reply interface {
	Word(w Word)
	Int(n int64)
	// Value answers with a value, Key with a key.
	Value(v []byte)
	Key(key []byte)
	// Versioned answers with an item: its version, the seconds that are left of it (rounded up; 0: no
	// deadline), and its value.
	Versioned(version, seconds uint64, value []byte)
	// Conflict answers that the item has another version, this one.
	Conflict(version uint64)
	// Text answers with a line of the node's own, which is printable.
	Text(line string)
	// Begin begins a list of n replies, n < 0 if that is not known yet. End ends it; so does More,
	// which says that there are more keys behind that one.
	Begin(n int)
	End()
	More(key []byte)
	// Fact is a line of STATS or STATUS, in a list.
	Fact(name, value string)
	Error(code Code, message string)
	// Failed reports whether an error was answered, or a Conflict, since it was last asked.
	Failed() bool
	// Flush sends what has been answered.
	Flush()
}
