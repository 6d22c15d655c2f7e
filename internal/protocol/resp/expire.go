package resp

import (
	"bytes"
	"math"
)

// Expiry is what an argument or an option says about an item's deadline.
type Expiry struct {
	Kind    ExpiryKind
	Seconds bool   // else milliseconds
	Text    []byte // After, At: the number
}

// ExpiryKind is how Expiry names a deadline.
type ExpiryKind uint8

// The kinds.
const (
	NoExpiry ExpiryKind = iota // nothing is said: SET takes a deadline off, GETEX leaves it
	KeepTTL                    // the deadline stays
	Persist                    // it is taken off
	After                      // a time from now on
	At                         // a time of Unix
)

// Millis returns how many milliseconds that is, of After from now on, of At since 1970. now is the time in milliseconds
// of Unix. The error names command: the text is no integer, or not above 0, or the deadline does not fit into 64 bits.
// GETEX answers it only if the key is there.
func (e *Expiry) Millis(command string, now int64) (int64, error) {
	n, err := Integer(e.Text)
	switch {
	case err != nil:
		return 0, err
	case n <= 0, e.Seconds && n > math.MaxInt64/1000:
		return 0, badExpiry(command)
	case e.Seconds:
		n *= 1000
	}
	if e.Kind == After && n > math.MaxInt64-now {
		return 0, badExpiry(command)
	}
	return n, nil
}

func badExpiry(command string) error {
	return Error("ERR invalid expire time in '" + command + "' command")
}

// Expire is a request of EXPIRE, PEXPIRE, EXPIREAT or PEXPIREAT.
type Expire struct {
	Key    []byte
	At     bool  // Millis is a time of Unix, else it counts from now on
	Millis int64 // not above 0: the key is to be deleted
	// NX wants that there is no deadline, XX that there is one, GT that the new one is later and LT that it is earlier,
	// where none is later than any.
	NX, XX, GT, LT bool
}

// ParseExpire reads args, the request of c, one of the four commands. now is the time in milliseconds of Unix.
func ParseExpire(c *Command, args [][]byte, now int64) (e Expire, err error) {
	e = Expire{Key: args[1], At: c.Name == "expireat" || c.Name == "pexpireat"}
	if err := e.options(args[3:]); err != nil {
		return e, err
	}
	if e.Millis, err = Integer(args[2]); err != nil {
		return e, err
	}
	if c.Name == "expire" || c.Name == "expireat" {
		if e.Millis > math.MaxInt64/1000 || e.Millis < math.MinInt64/1000 {
			return e, badExpiry(c.Name)
		}
		e.Millis *= 1000
	}
	if !e.At && e.Millis > math.MaxInt64-now {
		return e, badExpiry(c.Name)
	}
	return e, nil
}

func (e *Expire) options(args [][]byte) error {
	for _, arg := range args {
		switch {
		case equalFold(arg, "nx"):
			e.NX = true
		case equalFold(arg, "xx"):
			e.XX = true
		case equalFold(arg, "gt"):
			e.GT = true
		case equalFold(arg, "lt"):
			e.LT = true
		default:
			option, _, _ := bytes.Cut(arg, []byte{0})
			return shown("ERR Unsupported option " + string(option))
		}
	}
	switch {
	case e.NX && (e.XX || e.GT || e.LT):
		return Error("ERR NX and XX, GT or LT options at the same time are not compatible")
	case e.GT && e.LT:
		return Error("ERR GT and LT options at the same time are not compatible")
	}
	return nil
}
