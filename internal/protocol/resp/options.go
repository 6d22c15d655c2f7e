package resp

import "math"

// Set is a request of SET, SETEX or PSETEX. Its times are still to be read, see Expiry.Millis.
type Set struct {
	Key, Value []byte
	NX, XX     bool   // only if the key is not there, or only if it is
	IfEq       []byte // only if the value is this one; nil: whatever it is
	Get        bool   // the old value is the answer
	Expiry     Expiry
}

// ParseSet reads args, the request of c, one of the three commands.
func ParseSet(c *Command, args [][]byte) (s Set, err error) {
	if c.Name != "set" {
		return Set{Key: args[1], Value: args[3], Expiry: Expiry{Kind: After, Seconds: c.Name == "setex", Text: args[2]}}, nil
	}
	s = Set{Key: args[1], Value: args[2]}
	for rest := args[3:]; len(rest) > 0; {
		n := s.option(rest)
		if n == 0 {
			n = s.Expiry.option(rest)
		}
		if n == 0 {
			return s, ErrSyntax
		}
		rest = rest[n:]
	}
	return s, nil
}

// option takes an option that SET alone has, and returns how many arguments it has; 0 if there is none, or it must not
// stand here.
func (s *Set) option(args [][]byte) int {
	conditional := s.NX || s.XX || s.IfEq != nil
	switch word := args[0]; {
	case equalFold(word, "nx") && (s.NX || !conditional):
		s.NX = true
	case equalFold(word, "xx") && (s.XX || !conditional):
		s.XX = true
	case equalFold(word, "get"):
		s.Get = true
	case equalFold(word, "keepttl") && (s.Expiry.Kind == NoExpiry || s.Expiry.Kind == KeepTTL):
		s.Expiry.Kind = KeepTTL
	case equalFold(word, "ifeq") && !conditional && len(args) > 1:
		if s.IfEq = args[1]; s.IfEq == nil {
			s.IfEq = []byte{}
		}
		return 2
	default:
		return 0
	}
	return 1
}

// expiryOptions are the options that have a time.
var expiryOptions = []struct {
	word string
	is   Expiry
}{
	{"ex", Expiry{Kind: After, Seconds: true}}, {"px", Expiry{Kind: After}},
	{"exat", Expiry{Kind: At, Seconds: true}}, {"pxat", Expiry{Kind: At}},
}

// option takes an option that has a time, and returns how many arguments it has; 0 if there is none, or another one has
// been taken. Of the same one the last one counts.
func (e *Expiry) option(args [][]byte) int {
	for _, o := range expiryOptions {
		if !equalFold(args[0], o.word) {
			continue
		}
		again := e.Kind == o.is.Kind && e.Seconds == o.is.Seconds
		if len(args) < 2 || e.Kind != NoExpiry && !again {
			return 0
		}
		*e = o.is
		e.Text = args[1]
		return 2
	}
	return 0
}

// GetEx is a request of GETEX.
type GetEx struct {
	Key    []byte
	Expiry Expiry // not KeepTTL
}

// ParseGetEx reads args, a request of GETEX.
func ParseGetEx(args [][]byte) (g GetEx, err error) {
	g.Key = args[1]
	for rest := args[2:]; len(rest) > 0; {
		n := g.Expiry.option(rest)
		if n == 0 && equalFold(rest[0], "persist") && (g.Expiry.Kind == NoExpiry || g.Expiry.Kind == Persist) {
			g.Expiry.Kind = Persist
			n = 1
		}
		if n == 0 {
			return g, ErrSyntax
		}
		rest = rest[n:]
	}
	return g, nil
}

// Scan is a request of SCAN.
type Scan struct {
	Cursor uint64
	Match  []byte // nil: every key
	Count  int64  // how many keys a reply has about; at least 1
	Type   []byte // nil: of every type
}

// defaultCount is how many keys are looked at for a reply, if nothing is said.
const defaultCount = 10

// ParseScan reads args, a request of SCAN. It does not look at the pattern or the type.
func ParseScan(args [][]byte) (s Scan, err error) {
	var ok bool
	if s.Cursor, ok = parseCursor(args[1]); !ok {
		return s, ErrCursor
	}
	s.Count = defaultCount
	for rest := args[2:]; len(rest) > 0; rest = rest[2:] {
		if len(rest) < 2 {
			return s, ErrSyntax
		}
		switch word, value := rest[0], rest[1]; {
		case equalFold(word, "match"):
			s.Match = value
		case equalFold(word, "type"):
			s.Type = value
		case equalFold(word, "count"):
			if s.Count, err = Integer(value); err != nil {
				return s, err
			}
			if s.Count < 1 {
				return s, ErrSyntax
			}
		default:
			return s, ErrSyntax
		}
	}
	return s, nil
}

// parseCursor reads a cursor as C reads an unsigned number of 64 bits: with a sign or none, with leading zeros, to the
// end or a NUL. Nothing is 0, and a negative number counts from the end.
func parseCursor(b []byte) (n uint64, ok bool) {
	text := cString(b, len(b))
	if text == "" {
		return 0, true
	}
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	for _, c := range []byte(text) {
		digit := uint64(c - '0')
		if digit > 9 || n > (1<<64-1-digit)/10 {
			return 0, false
		}
		n = n*10 + digit
	}
	if negative {
		n = -n
	}
	return n, text != ""
}

// Copy is a request of COPY, within the one database that there is.
type Copy struct {
	From, To []byte
	Replace  bool // also if there is something at To
}

// ParseCopy reads args, a request of COPY.
func ParseCopy(args [][]byte) (c Copy, err error) {
	c = Copy{From: args[1], To: args[2]}
	for rest := args[3:]; len(rest) > 0; {
		switch {
		case equalFold(rest[0], "replace"):
			c.Replace = true
			rest = rest[1:]
		case equalFold(rest[0], "db") && len(rest) > 1:
			if err := ParseDB(rest[1]); err != nil {
				return c, err
			}
			rest = rest[2:]
		default:
			return c, ErrSyntax
		}
	}
	if string(c.From) == string(c.To) {
		return c, ErrSameObject
	}
	return c, nil
}

// ParseDB reads the number of a database, of which there is one: 0.
func ParseDB(arg []byte) error {
	n, err := integerWithin(arg, math.MinInt32, math.MaxInt32)
	if err == nil && n != 0 {
		err = ErrDBIndex
	}
	return err
}
