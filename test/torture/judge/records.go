package judge

import "fmt"

// Keys that all clients share.
const (
	RegisterKeys  = 12 // reg:0 and so on
	CasKeys       = 6  // cas:0 and so on
	SharedCounter = "incr"
	OnceCounter   = "once"
)

// Told is what all clients of a round were told, by what they did.
type Told struct {
	Sets      []SetRecord
	Counts    []CountRecord
	Onces     []OnceRecord
	Logs      []LogRecord
	Registers []RegisterOp
	Swaps     []CasOp
	Floods    []FloodRecord
	// Transactions are of clients of Redis, single commands too.
	Transactions []Transaction
}

// SetRecord is of a client that sets a new key each time: the numbers of those that were OK, and of those of
// which nothing is known.
type SetRecord struct {
	Id             int
	Acked, Unknown []int
}

// Key is the client's key of that number. Its value is the number.
func (r *SetRecord) Key(seq int) string { return fmt.Sprintf("set:%d:%d", r.Id, seq) }

// CountRecord is of a client that counts on sharedCounter: what it was answered, and how often it was not.
type CountRecord struct {
	Replies []int64
	Unknown int
}

// OnceRecord is of a client that counts on onceCounter.
type OnceRecord struct {
	Pending bool // the last was sent, and its reply is not known
	Replies []int64
}

// LogRecord is of a client that appends its tokens to shared logs: their numbers, as in SetRecord.
type LogRecord struct {
	Id             int
	Acked, Unknown []int
}

// Token is the client's token of that number.
func (r *LogRecord) Token(seq int) string { return fmt.Sprintf("%d.%d;", r.Id, seq) }
