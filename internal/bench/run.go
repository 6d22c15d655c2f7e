package bench

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
)

// run is what is measured at a time.
type run struct {
	load  *Load
	begin time.Time    // what is answered before is not counted,
	end   atomic.Int64 // nor what is answered later than that, in nanoseconds after the beginning
	left  atomic.Int64 // requests, if it ends after so many
}

func newRun(l *Load) *run {
	r := &run{load: l, begin: time.Now().Add(l.config.WarmUp)}
	r.left.Store(l.config.Requests)
	if r.end.Store(int64(l.config.For)); l.config.Requests > 0 {
		r.end.Store(math.MaxInt64)
	}
	return r
}

// at returns how long it has been measured until now, at most until the end; below 0: it is not yet. ended: that was
// before now.
func (r *run) at(now time.Time) (since time.Duration, ended bool) {
	since, end := now.Sub(r.begin), time.Duration(r.end.Load())
	return min(since, end), since > end
}

// stop has nothing count that is answered from now on.
func (r *run) stop() {
	since, _ := r.at(time.Now())
	r.end.Store(int64(since))
}

// length is how long was measured.
func (r *run) length() time.Duration { return max(time.Duration(r.end.Load()), 0) }

// watch waits until it is over, and tells how it goes.
func (r *run) watch(ctx context.Context, over <-chan struct{}) *shard {
	total, ticks := newShard(), time.NewTicker(tick)
	defer ticks.Stop()
	last := time.Duration(0)
	for done := ctx.Done(); ; {
		select {
		case <-over:
			r.stop()
			return total
		case <-done:
			r.stop()
			for i := range r.load.slots {
				r.load.slots[i].interrupt(giveUp)
			}
			done = nil
		case now := <-ticks.C:
			at, _ := r.at(now)
			if r.load.config.Progress == nil || at >= 0 && at-last < tick/2 {
				continue
			}
			second := newShard()
			for _, s := range r.load.shards {
				s.drainInto(total, second)
			}
			r.load.config.Progress(second.progress(at, at-last))
			last = max(at, 0)
		}
	}
}

// worker is a connection that asks.
type worker struct {
	run     *run
	index   int
	address int // of the addresses, where the connection goes to
	shard   *shard
	keys    *keys
	random  *rand.Rand
	burst   Burst
	one     Operation // if the mix has only that
	single  bool
	weights []Operation // else: as many as the weights are, each of them as likely
	sizes   uint64

	due      time.Time     // with a rate: when the next burst is
	timer    *time.Timer   // until then
	since    time.Time     // what latencies are counted from
	deadline time.Time     // of the connection
	last     time.Duration // when an answer without error came, since the beginning
	longest  time.Duration
}

// mostWeights is how long the table of weights may be; a mix beyond that is drawn by adding up.
const mostWeights = 4096

func newWorker(r *run, i int) *worker {
	c := &r.load.config
	random := rand.New(rand.NewPCG(c.Seed, uint64(i)+2))
	w := &worker{
		run: r, index: i, address: i, shard: r.load.shards[i%len(r.load.shards)], random: random,
		keys: newKeys(c.Contents.Keys, c.Exponent, random), sizes: uint64(len(c.Contents.Sizes.steps())),
	}
	w.one, w.single = c.Mix.only()
	if total := c.Mix.total(); total <= mostWeights {
		for o, n := range c.Mix {
			for range n {
				w.weights = append(w.weights, Operation(o))
			}
		}
	}
	w.burst.Requests, w.burst.Outcomes = make([]Request, c.Pipeline), make([]Outcome, c.Pipeline)
	w.due = time.Now().Add(w.every() * time.Duration(i) / time.Duration(c.Connections))
	return w
}

// every is the time between two bursts of a connection, with a rate.
func (w *worker) every() time.Duration {
	c := &w.run.load.config
	if c.Rate == 0 {
		return 0
	}
	return time.Duration(float64(c.Connections*c.Pipeline) / c.Rate * float64(time.Second))
}

func (w *worker) work(ctx context.Context) {
	slot := &w.run.load.slots[w.index]
	for ctx.Err() == nil {
		conn := slot.get()
		if conn == nil {
			if conn = w.connect(ctx); conn == nil {
				break
			}
			slot.set(conn)
		}
		if !w.wait(ctx) || !w.draw() {
			break
		}
		if now := time.Now(); now.Add(replyTimeout).After(w.deadline) {
			w.deadline = now.Add(replyTimeout + replyTimeout/2) // not each time: it costs a little
			conn.Interrupt(replyTimeout + replyTimeout/2)
			if ctx.Err() != nil { // its Interrupt may have been before ours
				break
			}
		}
		if err := conn.Do(&w.burst, w.answered); err != nil {
			slot.drop()
			w.lost(err)
		}
	}
	w.finish()
}

// wait waits until the next burst is due, and notes from when on its latency counts.
//
// With a rate a burst counts from when it was due if the connection was not free then: else a server that is slow would
// have fewer requests wait for it ("coordinated omission"). A connection that was free, and whose sleep ended late, counts
// from when it was sent: that lateness is ours.
func (w *worker) wait(ctx context.Context) bool {
	w.since = time.Now()
	if w.run.load.config.Rate == 0 {
		return true
	}
	due := w.due
	w.due = due.Add(w.every())
	if due.Before(w.since) {
		w.since = due
		return true
	}
	if w.timer == nil {
		w.timer = time.NewTimer(due.Sub(w.since))
	} else {
		w.timer.Reset(due.Sub(w.since))
	}
	select {
	case <-ctx.Done():
		return false
	case <-w.timer.C:
	}
	w.since = time.Now()
	return true
}

// draw makes the next burst.
func (w *worker) draw() bool {
	n := w.run.load.config.Pipeline
	if w.run.load.config.Requests > 0 && !w.since.Before(w.run.begin) {
		left := w.run.left.Add(-int64(n)) + int64(n)
		if left <= 0 {
			return false
		}
		n = int(min(int64(n), left))
	}
	w.burst.Requests, w.burst.Outcomes = w.burst.Requests[:n], w.burst.Outcomes[:n]
	w.burst.begin()
	for i := range w.burst.Requests {
		r := &w.burst.Requests[i]
		r.Operation, r.Key = w.operation(), w.keys.next()
		if w.sizes > 1 {
			r.Size = uint8(w.random.Uint64N(w.sizes))
		}
	}
	return true
}

func (w *worker) operation() Operation {
	if w.single {
		return w.one
	}
	if w.weights != nil {
		return w.weights[w.random.Uint64N(uint64(len(w.weights)))]
	}
	m := &w.run.load.config.Mix
	at := w.random.IntN(m.total())
	for o, n := range m {
		if at -= n; at < 0 {
			return Operation(o)
		}
	}
	panic("a mix has no such weight")
}

// answered counts answers.
func (w *worker) answered(from, to int) {
	now := time.Now()
	switch at, ended := w.run.at(now); {
	case at < 0:
		w.burst.Errors = w.burst.Errors[:0]
	case !ended && w.shard.count(&w.burst, from, to, now.Sub(w.since)):
		w.longest = max(w.longest, at-w.last)
		w.last = at
	}
}

// lost counts what has had no answer. The next connection goes to the next address.
func (w *worker) lost(err error) {
	w.address++
	if at, _ := w.run.at(time.Now()); at < 0 {
		return
	}
	none := int64(0)
	for _, end := range w.burst.Outcomes {
		if end == Unanswered {
			none++
		}
	}
	w.shard.fail(nameOf(err), err.Error(), none)
}

const (
	firstPause = 10 * time.Millisecond
	lastPause  = time.Second
)

// connect connects anew, and tries until that works. A server that does not take the login any more is not asked again.
func (w *worker) connect(ctx context.Context) Conn {
	l := w.run.load
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		conn, err := l.config.Driver.Connect(ctx, l.address(w.address))
		if err == nil {
			w.deadline = time.Time{}
			w.shard.reconnected()
			return conn
		}
		if ctx.Err() != nil {
			return nil
		}
		if line, refused := answer(err); refused {
			w.shard.fail(codeOf(line), line, 0)
			if !again(codeOf(line)) {
				return nil
			}
		} else {
			w.shard.fail(notConnected, err.Error(), 0)
		}
		w.address++
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// again reports whether a login that was refused so may be taken later.
func again(code string) bool { return code != "AUTH_FAILED" && code != "WRONGPASS" && code != "NOAUTH" }

// finish notes what the connection has waited for in the end.
func (w *worker) finish() {
	if at, _ := w.run.at(time.Now()); w.run.load.config.Requests == 0 {
		w.longest = max(w.longest, at-w.last)
	}
	w.shard.waited(w.longest)
}

// shardsOf is how many shards so many connections count into.
func shardsOf(conns int) int { return min(conns, 2*runtime.GOMAXPROCS(0)) }
