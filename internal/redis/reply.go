package redis

import (
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
)

// reply is how a session.Session answers this client: its words and codes are those of Redis. What has a type of its own
// in Redis' protocol is not answered through it, but by the command.
type reply struct {
	s     *Session
	codes bool // an error begins with the code of ours: SIGNUP
}

// Word answers with one of Redis' words.
func (r *reply) Word(word protocol.Word) {
	w := &r.s.w
	switch word {
	case protocol.OK, protocol.Bye, protocol.SignedUp, protocol.LoggedIn:
		w.OK()
	case protocol.NotFound, protocol.Exists:
		w.Null()
	case protocol.NoTTL:
		w.Int(-1)
	case protocol.True:
		w.Int(1)
	case protocol.False:
		w.Int(0)
	case protocol.Pong:
		w.Simple("PONG")
	case protocol.LoggedOut:
		w.Simple("RESET")
	}
}

// Int answers with a number.
func (r *reply) Int(n int64) { r.s.w.Int(n) }

// Value answers with a value.
func (r *reply) Value(v []byte) { r.s.w.Bulk(v) }

// Key answers with a key.
func (r *reply) Key(key []byte) { r.s.w.Bulk(key) }

// Versioned answers with a version, the seconds that are left (-1: there is no deadline) and a value.
func (r *reply) Versioned(version, seconds uint64, value []byte) {
	left := int64(seconds)
	if seconds == 0 {
		left = -1
	}
	r.s.w.Array(3)
	r.s.w.Int(int64(version))
	r.s.w.Int(left)
	r.s.w.Bulk(value)
}

// Conflict answers that the item has another version.
func (r *reply) Conflict(version uint64) { r.s.w.Error(conflict(version)) }

// Text answers with a line.
func (r *reply) Text(line string) { r.s.w.BulkString(line) }

// Begin begins a list of n elements.
func (r *reply) Begin(n int) { r.s.w.Array(n) }

// End ends a list, which its length has said already.
func (r *reply) End() {}

// More is of a list in pages, which this protocol does not have.
func (r *reply) More([]byte) {}

// Fact is a line of a report, which this protocol has other words for.
func (r *reply) Fact(name, value string) { r.s.w.BulkString(name + ":" + value) }

// Error answers with an error; nothing if it comes with the end of the connection, which is all that a client of Redis
// expects then.
func (r *reply) Error(code protocol.Code, message string) {
	if code == protocol.TooManyConnections { // the answer to a login, behind which the connection is closed
		r.s.w.Error(string(ErrCrowded))
		return
	}
	if closes[code] {
		return
	}
	r.s.w.Error(r.words(code, message))
}

// Failed reports whether an error was answered since it was last asked.
func (r *reply) Failed() (failed bool) {
	failed, r.s.w.Failed = r.s.w.Failed, false
	return failed
}

// Flush sends what has been answered.
func (r *reply) Flush() { r.s.w.Flush() }

// closes are the codes behind which the connection is closed.
var closes = func() map[protocol.Code]bool {
	m := map[protocol.Code]bool{}
	for _, c := range protocol.ErrorCodes() {
		m[c.Code] = c.Closes
	}
	return m
}()

// words returns the reply that a code is.
func (r *reply) words(code protocol.Code, message string) string {
	switch code {
	case protocol.Busy, protocol.NoLeader:
		return "TRYAGAIN " + message
	case protocol.Loading:
		return "LOADING " + message
	case protocol.Timeout:
		return string(errTimeout)
	case protocol.Internal:
		return string(errInternal)
	}
	if r.codes {
		return string(code) + " " + message
	}
	if e, ok := words[code]; ok {
		return string(e)
	}
	return "ERR " + message
}

// words are Redis' own words for what our codes say.
var words = map[protocol.Code]resp.Error{
	protocol.AuthRequired:  resp.ErrNoAuth,
	protocol.AuthFailed:    resp.ErrWrongPass,
	protocol.BadUsername:   resp.ErrWrongPass, // so there is no such user
	protocol.BadPassword:   resp.ErrWrongPass,
	protocol.NotANumber:    resp.ErrNotInteger,
	protocol.Overflow:      resp.ErrOverflow,
	protocol.ValueTooLarge: errValueTooLarge,
	protocol.MemoryFull:    errOOM,
	protocol.Quota:         errOOM,
}
