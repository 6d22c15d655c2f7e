package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Operation is one thing that a client may ask.
type Operation uint8

// The operations. Counters have keys of their own, so that GET and INCR can be in one mix.
const (
	Get Operation = iota
	Set
	SetFor // with a time to live
	Incr
	Delete
	Has
	dropCounter // what Remove needs; in no mix
	operations
)

var operationNames = [operations]string{"get", "set", "setex", "incr", "del", "has", "drop"}

// String implements fmt.Stringer.
func (o Operation) String() string { return operationNames[o] }

// Mix says how often there is each operation, as weights.
type Mix [operations]int

// ParseMix reads a mix such as get=9,set=1, or set alone.
func ParseMix(text string) (m Mix, err error) {
	for _, part := range strings.Split(text, ",") {
		name, weight, given := strings.Cut(part, "=")
		i := slices.Index(operationNames[:dropCounter], name)
		if i < 0 {
			return m, fmt.Errorf("%q is none of %s", name, strings.Join(operationNames[:dropCounter], ", "))
		}
		n := 1
		if given {
			if n, err = strconv.Atoi(weight); err != nil || n < 0 || n > maxWeight {
				return m, fmt.Errorf("%q is not a weight from 0 to %d", weight, maxWeight)
			}
		}
		if m[i] > 0 {
			return m, fmt.Errorf("%s stands there twice", name)
		}
		m[i] = n
	}
	if m.total() == 0 {
		return m, fmt.Errorf("%q asks for nothing", text)
	}
	return m, nil
}

const maxWeight = 1_000_000

// String returns the mix as ParseMix reads it.
func (m Mix) String() string {
	var parts []string
	for o, n := range m {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", Operation(o), n))
		}
	}
	return strings.Join(parts, ",")
}

func (m Mix) total() (n int) {
	for _, w := range m {
		n += w
	}
	return n
}

// Reads reports whether an operation is in it that finds more if the keys are there.
func (m Mix) Reads() bool { return m[Get]+m[Has]+m[Delete] > 0 }

// only returns the one operation of the mix.
func (m Mix) only() (one Operation, ok bool) {
	for o, n := range m {
		if n == m.total() {
			return Operation(o), true
		}
	}
	return 0, false
}

// Sizes are those of the values: from Min to Max bytes, all as often.
type Sizes struct{ Min, Max int }

const (
	// sizeSteps is how many sizes there are of a range: each has a template,
	sizeSteps = 64
	// and these take no more than that, if there are at least two of them.
	templateBytes = 64 << 20
)

// steps returns the sizes that are used.
func (s Sizes) steps() (all []int) {
	n := min(sizeSteps, s.Max-s.Min+1, max(templateBytes/s.Max, 2))
	for i := range n {
		all = append(all, s.Min+int(float64(s.Max-s.Min)*float64(i)/float64(max(n-1, 1))))
	}
	return all
}

// Request is one request.
type Request struct {
	Operation Operation
	Size      uint8 // which of the sizes its value has
	Key       uint64
}

// Outcome is how a request has ended.
type Outcome uint8

// The outcomes.
const (
	Unanswered Outcome = iota
	Done
	Found
	Missed
	Failed // answered with an error
)

// Burst is some requests that are sent at once, and what becomes of them.
type Burst struct {
	Requests []Request
	Outcomes []Outcome // as long
	Errors   []string  // what the Failed ones were answered
}

// begin forgets what has become of the burst before.
func (b *Burst) begin() {
	clear(b.Outcomes)
	b.Errors = b.Errors[:0]
}

// Contents says which keys and values there are; it is what templates of requests are made of.
type Contents struct {
	Prefix string
	Keys   int
	Sizes  Sizes
	TTL    time.Duration // of SetFor
	Value  []byte        // Max bytes of it
}

// Names returns the names of the operations that a mix may have.
func Names() []string { return operationNames[:dropCounter] }
