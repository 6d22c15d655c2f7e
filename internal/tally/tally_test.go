package tally

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// Whatever sessions do at a time, each command is counted once.
func TestNothingIsLost(t *testing.T) {
	const commands, sessions, each = 9, 40, 5000
	table := NewTable(commands)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var want [commands][2]uint64
	for s := range sessions {
		wg.Go(func() {
			m, r := table.Meter(), rand.New(rand.NewPCG(1, uint64(s)))
			var own [commands][2]uint64
			for range each {
				c, failed := uint16(r.IntN(commands)), r.IntN(3) == 0
				if r.IntN(10) == 0 {
					m.Wake()
				}
				m.Begin(c)
				m.Done(c, failed)
				if failed {
					own[c][1]++
				} else {
					own[c][0]++
				}
				if r.IntN(100) == 0 {
					m.Publish()
				}
			}
			m.Publish()
			mu.Lock()
			defer mu.Unlock()
			for c := range own {
				want[c][0] += own[c][0]
				want[c][1] += own[c][1]
			}
		})
	}
	wg.Wait()
	timed := uint64(0)
	for c := range commands {
		got := table.Read(c)
		if got.Done != want[c][0] || got.Failed != want[c][1] {
			t.Errorf("command %d: %d and %d, want %v", c, got.Done, got.Failed, want[c])
		}
		timed += got.Took.Count()
	}
	if all := uint64(sessions * each); timed < all/15 || timed > all/7 {
		t.Errorf("%d of %d were timed, which is not a tenth", timed, all)
	}
}

// Of a burst the first command is timed, also if others are answered while it waits.
func TestTheFirstIsTimed(t *testing.T) {
	table := NewTable(3)
	m := table.Meter()
	m.Wake()
	for range 3 {
		m.Begin(1)
	}
	m.Begin(2)
	for range 3 {
		m.Done(1, false)
	}
	m.Done(2, false)
	for c, want := range []uint64{0, 1, 0} {
		if n := table.Read(c).Took.Count(); n != want {
			t.Errorf("command %d was timed %d times, want %d", c, n, want)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	table := NewTable(10)
	m := table.Meter()
	count := func() {
		for c := range uint16(10) {
			m.Wake()
			m.Begin(c)
			m.Done(c, c%2 == 0)
		}
		m.Publish()
	}
	count() // makes the histograms
	if n := testing.AllocsPerRun(100, count); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestQuantiles(t *testing.T) {
	h := NewHistogram([]int64{10, 100, 1000})
	if q := h.Read().Quantile(0.99); q != 0 {
		t.Errorf("of nothing: %d", q)
	}
	for range 90 {
		h.Observe(10)
	}
	before := h.Read()
	for range 10 {
		h.Observe(500)
	}
	d := h.Read()
	for q, want := range map[float64]int64{0.5: 6, 0.9: 10, 0.95: 550, 1: 1000} {
		if got := d.Quantile(q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if since := d.Sub(before); since.Count() != 10 || since.Sum != 5000 || since.Quantile(0.01) < 100 {
		t.Errorf("since then %+v", since)
	}
	h.Observe(5000)
	if d := h.Read(); d.Quantile(1) != 1000 || d.Count() != 101 {
		t.Errorf("with one above all bounds %+v", d)
	}
}

func BenchmarkMeter(b *testing.B) {
	table := NewTable(10)
	b.RunParallel(func(pb *testing.PB) {
		m := table.Meter()
		for pb.Next() {
			m.Begin(3)
			m.Done(3, false)
		}
		m.Publish()
	})
}
