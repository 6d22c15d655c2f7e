package clock

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fake is a machine whose clocks the test moves.
type fake struct {
	mono, wall atomic.Int64
	asked      func() // by Monotonic; may be nil
}

func (f *fake) Monotonic() time.Duration {
	if f.asked != nil {
		f.asked()
	}
	return time.Duration(f.mono.Load())
}
func (f *fake) Wall() int64 { return f.wall.Load() }

func (f *fake) pass(d time.Duration) {
	f.mono.Add(int64(d))
	f.wall.Add(d.Milliseconds())
}

const start = 1_700_000_000_000

func newFake() (*fake, *Clock) {
	f := &fake{}
	f.wall.Store(start)
	f.pass(1234567 * time.Microsecond) // the process has been up for a while
	return f, New(f)
}

func want(t *testing.T, c *Clock, ms int64) {
	t.Helper()
	if got := c.Now(); got != ms {
		t.Errorf("now %d, want %d", got, ms)
	}
}

func TestObserveMovesForwardOnly(t *testing.T) {
	f, c := newFake()
	c.Observe(start)
	want(t, c, start)
	f.pass(1500 * time.Millisecond)
	want(t, c, start+1500)
	for _, stamp := range []int64{start, start + 1499, start + 1500, 0, -5} {
		c.Observe(stamp)
		want(t, c, start+1500)
	}
	c.Observe(start + 9000)
	want(t, c, start+9000)
	f.pass(time.Millisecond)
	want(t, c, start+9001)
}

// A clock that no one has told anything knows nothing of the time of day.
func TestBeforeTheFirstObserve(t *testing.T) {
	f, c := newFake()
	want(t, c, 1234)
	if c.Settled() {
		t.Error("settled by itself")
	}
	if c.Wall() != f.Wall() {
		t.Errorf("wall %d, want %d", c.Wall(), f.Wall())
	}
}

func TestSettle(t *testing.T) {
	for name, c := range map[string]struct{ observed, settle, want int64 }{
		"later than the log": {start, start + 500, start + 500},
		"behind the log":     {start + 500, start, start + 500},
		"an empty log":       {0, start, start},
	} {
		t.Run(name, func(t *testing.T) {
			_, clock := newFake()
			clock.Observe(c.observed)
			if clock.Settled() {
				t.Error("an entry's stamp settled the clock")
			}
			clock.Settle(c.settle)
			want(t, clock, c.want)
			if !clock.Settled() {
				t.Error("not settled")
			}
			clock.Settle(c.want + 1_000_000) // a second time is too late
			want(t, clock, c.want)
		})
	}
}

// Who sees the clock settled may stamp: so it must be right by then.
func TestSettledComesLast(t *testing.T) {
	f, c := newFake()
	asked := 0
	f.asked = func() {
		asked++
		if c.Settled() {
			t.Error("settled before the time was set")
		}
	}
	c.Settle(start)
	if f.asked = nil; asked == 0 || !c.Settled() {
		t.Errorf("asked %d times, settled %v", asked, c.Settled())
	}
}

// The machine's time of day may jump as it likes: no step of it reaches the clock.
func TestWallJumps(t *testing.T) {
	f, c := newFake()
	c.Settle(c.Wall())
	at := c.Now()
	for _, jump := range []int64{-3_600_000, 86_400_000 * 400, -start, 1} {
		f.wall.Add(jump)
		want(t, c, at)
		c.Settle(c.Wall())
		want(t, c, at)
		f.pass(time.Second)
		at += 1000
		want(t, c, at)
	}
}

// Parts of a millisecond are not lost, however often the clock is told what it knows.
func TestPartsOfAMillisecond(t *testing.T) {
	f, c := newFake()
	c.Observe(start)
	for range 10_000 {
		f.pass(100 * time.Microsecond)
		c.Observe(c.Now())
	}
	if got := c.Now() - start; got < 1000 || got > 1001 {
		t.Errorf("%d ms of 1000 have passed", got)
	}
}

// Readers see the time go forward, and who sees the clock settled sees the time that it settled on.
func TestConcurrent(t *testing.T) {
	f, c := newFake()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for last := int64(0); ; {
				settled := c.Settled()
				now := c.Now()
				if now < last || settled && now < start {
					t.Errorf("%d behind %d (settled: %v)", now, last, settled)
					return
				}
				last = now
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	var writers sync.WaitGroup
	for w := range int64(3) {
		writers.Go(func() {
			for i := range int64(2000) {
				c.Observe(start/2 + i*(w+1))
				f.mono.Add(int64(50 * time.Microsecond))
				if i == 1000 {
					c.Settle(start + w)
				}
			}
		})
	}
	writers.Wait()
	c.Observe(start + 100_000)
	close(stop)
	wg.Wait()
	want(t, c, start+100_000)
}

func TestMachine(t *testing.T) {
	c := New(nil)
	last := c.Now()
	for range 1000 {
		now := c.Now()
		if now < last {
			t.Fatalf("%d behind %d", now, last)
		}
		last = now
	}
	if c.Wall() <= 0 {
		t.Errorf("the machine's wall clock says %d", c.Wall())
	}
}
