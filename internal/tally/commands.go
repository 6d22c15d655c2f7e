package tally

import (
	"sync/atomic"
	"time"
)

// stripes is into how many a table's counts are divided, so that sessions seldom write to one cache line.
const stripes = 16

// Table counts the commands of one port, each by its number. All methods may be called from any goroutine.
type Table struct {
	stripes [stripes]*stripe
	last    atomic.Uint32
}

// stripe is what some of the sessions have published.
type stripe struct {
	counts []counts
	took   []atomic.Pointer[Histogram] // nil: nothing yet
}

// counts is of one command.
type counts struct{ done, failed atomic.Uint64 }

// NewTable returns the table of commands whose numbers are below n.
func NewTable(n int) *Table {
	t := &Table{}
	for i := range t.stripes {
		t.stripes[i] = &stripe{counts: make([]counts, n), took: make([]atomic.Pointer[Histogram], n)}
	}
	return t
}

// Command is what was counted of one command.
type Command struct {
	Done   uint64       // those that were answered without an error
	Failed uint64       // those that were answered with one
	Took   Distribution // a sample, in nanoseconds; always has its bounds
}

// Read returns what was published of a command.
func (t *Table) Read(command int) Command {
	c := Command{Took: Distribution{Bounds: Latencies, Counts: make([]uint64, len(Latencies)+1)}}
	for _, s := range t.stripes {
		c.Done += s.counts[command].done.Load()
		c.Failed += s.counts[command].failed.Load()
		if h := s.took[command].Load(); h != nil {
			c.Took.Add(h.Read())
		}
	}
	return c
}

// Meter counts for one session. It is for one goroutine.
type Meter struct {
	stripe *stripe
	recent [4]recent // by the number's last bits
	start  int64     // of the command that is timed, see now
	timed  uint16    // that command, and one more; 0: none
	awake  bool      // the next command is to be timed
}

// recent is what has not been published of a command.
type recent struct {
	command      uint16
	done, failed uint32
}

// Meter returns the meter of a new session.
func (t *Table) Meter() Meter { return Meter{stripe: t.stripes[t.last.Add(1)%stripes]} }

var started = time.Now()

// now is the monotonic clock, in nanoseconds.
func now() int64 { return int64(time.Since(started)) }

// Wake notes that the client has sent something after a silence: the next command is timed.
func (m *Meter) Wake() { m.awake = true }

// Begin notes that a command is begun.
func (m *Meter) Begin(command uint16) {
	if m.awake {
		m.awake, m.timed, m.start = false, command+1, now()
	}
}

// Done counts a command that has been answered. Those of one session are done in the order in which they were begun.
func (m *Meter) Done(command uint16, failed bool) {
	if m.timed == command+1 {
		m.took(command)
	}
	r := &m.recent[command%uint16(len(m.recent))]
	if r.command != command {
		m.publish(r)
		r.command = command
	}
	if failed {
		r.failed++
		return
	}
	r.done++
}

func (m *Meter) took(command uint16) {
	m.timed = 0
	h := m.stripe.took[command].Load()
	if h == nil {
		m.stripe.took[command].CompareAndSwap(nil, NewHistogram(Latencies))
		h = m.stripe.took[command].Load()
	}
	h.Observe(now() - m.start)
}

// Publish has the table have all that was counted so far. It is to be called before a session waits, and at its end.
func (m *Meter) Publish() {
	for i := range m.recent {
		m.publish(&m.recent[i])
	}
}

func (m *Meter) publish(r *recent) {
	c := &m.stripe.counts[r.command]
	if r.done > 0 {
		c.done.Add(uint64(r.done))
		r.done = 0
	}
	if r.failed > 0 {
		c.failed.Add(uint64(r.failed))
		r.failed = 0
	}
}
