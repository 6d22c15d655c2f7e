package cache

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"ciderd/test/norace"
)

func names(victims []Victim) map[string]bool {
	m := map[string]bool{}
	for _, v := range victims {
		m[string(v.Key)] = true
	}
	return m
}

// Round after round, with what is in flight left out, every item becomes a victim, once.
func TestColdestTakesAllInTheEnd(t *testing.T) {
	norace.Alone(t)
	for _, n := range []int{0, 1, 9, 1000, 5000} {
		k := New().Create(1)
		for i := range n {
			k.Set(fmt.Append(nil, i), make([]byte, i%100), 0)
		}
		inFlight := map[string]bool{}
		skip := func(key []byte, version uint64) bool {
			if it, ok := k.Lookup(key, 0); !ok || it.Version != version {
				t.Fatalf("skip is asked about %q, version %d", key, version)
			}
			return inFlight[string(key)]
		}
		memory := int64(0)
		for at := Cursor(0); len(inFlight) < n; {
			var victims []Victim
			victims, at = k.Coldest(at, 0, 1<<20, 1000, skip)
			if len(victims) == 0 {
				t.Fatalf("%d items: no victim after %d", n, len(inFlight))
			}
			for _, v := range victims {
				if m, there := k.Peek(v.Key); !there || m != v.Memory || inFlight[string(v.Key)] {
					t.Fatalf("victim %q: memory %d %v, in flight %v", v.Key, m, there, inFlight[string(v.Key)])
				}
				inFlight[string(v.Key)] = true
				memory += v.Memory
			}
		}
		if victims, _ := k.Coldest(5, 0, 1, 1, skip); len(victims) != 0 || memory != k.Memory() {
			t.Errorf("%d items: %d more victims; memory %d of %d", n, len(victims), memory, k.Memory())
		}
	}
}

// It takes as much as is wanted and not more, and no more victims than it may.
func TestColdestTakesEnough(t *testing.T) {
	k := New().Create(1)
	for i := range 10_000 {
		k.Set(fmt.Append(nil, i), make([]byte, i%1000), 0)
	}
	at := Cursor(0)
	for _, want := range []int64{-1, 0, 1, 100, 10_000, 300_000} {
		for _, most := range []int{0, 1, 10, 400} {
			var victims []Victim
			victims, at = k.Coldest(at, 0, want, most, nil)
			var memory, last int64
			for _, v := range victims {
				memory, last = memory+v.Memory, v.Memory
			}
			if len(victims) > most || memory < want && len(victims) < most || memory-last >= max(want, 1) {
				t.Errorf("want %d, at most %d: %d victims of %d bytes, the last of %d", want, most, len(victims), memory, last)
			}
		}
	}
}

func TestColdestOrder(t *testing.T) {
	s := New()
	s.SetHeatEpoch(3)
	k := s.Create(1)
	const n = 8000
	for i := range n {
		k.Set(fmt.Append(nil, i), nil, 0)
		if i%4 != 0 { // so that there are cold ones for each eighth
			k.Get(fmt.Append(nil, i), 0)
		}
	}
	victims, _ := k.Coldest(0, 50, 1<<40, n/10, nil)
	for key := range names(victims) {
		var i int
		if fmt.Sscan(key, &i); i%4 != 0 {
			t.Errorf("%s was read, and is a victim", key)
		}
	}
	for i := range n / 80 { // few, so that a choice by heat alone would miss most
		k.SetDeadline(fmt.Append(nil, 80*i+1), 50)
	}
	victims, _ = k.Coldest(0, 50, 1<<40, n/2, nil)
	chosen := names(victims)
	for i := range n / 80 {
		if !chosen[fmt.Sprint(80*i+1)] {
			t.Errorf("item %d is past its deadline, and no victim", 80*i+1)
		}
	}
	victims, _ = k.Coldest(0, 49, 1<<40, n/10, nil)
	for key := range names(victims) {
		var i int
		if fmt.Sscan(key, &i); i%80 == 1 {
			t.Errorf("%s is not past its deadline, and a victim", key)
		}
	}
}

// A walk in steps finds what was there throughout, while tables grow, split, merge and are copied between them: all
// but a few, and those the next walk finds.
func TestCursorSurvives(t *testing.T) {
	norace.Alone(t)
	s := New()
	k := s.Create(1)
	for i := range 2000 {
		k.Set(fmt.Append(nil, i), nil, 0)
	}
	rnd := rand.New(rand.NewPCG(2, 2))
	for round := range 3 {
		s.SetHeatEpoch(uint64(round + 2))
		for i := range 2000 {
			k.Get(fmt.Append(nil, i), 0)
		}
		found := map[string]bool{}
		steps := 0
		for at, more := Cursor(0), true; more; more = at != 0 {
			at = k.Dirty(at, 64, func(key []byte, _ uint8) {
				if found[string(key)] {
					t.Fatalf("%q was found twice", key)
				}
				found[string(key)] = true
			})
			steps++
			for range 100 {
				other := fmt.Append(nil, "other ", rnd.IntN(6000))
				if round%2 == 0 {
					k.Set(other, nil, 0)
				} else {
					k.Delete(other)
				}
			}
			if steps%10 == 0 {
				s.Freeze()
			}
		}
		if len(found) < 1900 {
			t.Errorf("round %d: %d were found in %d steps", round, len(found), steps)
		}
		for at, more := Cursor(0), true; more; more = at != 0 {
			at = k.Dirty(at, 64, func(key []byte, _ uint8) { found[string(key)] = true })
		}
		if len(found) != 2000 {
			t.Errorf("round %d: %d were found in two walks", round, len(found))
		}
	}
}

// A report raises, never lowers, and is not reported on.
func TestWarmed(t *testing.T) {
	s := New()
	s.SetHeatEpoch(9)
	k := s.Create(1)
	key := []byte("k")
	k.Warmed(key, 3) // not there
	k.Set(key, nil, 0)
	for _, tc := range []struct{ report, want uint8 }{{0, 0}, {2, 2}, {1, 2}, {7, 7}, {200, 7}} {
		k.Warmed(key, tc.report)
		if h := heatOf(t, k, "k"); h.frequency(9) != tc.want || !h.current(9) {
			t.Errorf("heat %#x after a report of %d", h, tc.report)
		}
	}
	k.Dirty(0, 100, func([]byte, uint8) { t.Error("a report is reported") })
	s.SetHeatEpoch(10)
	k.Get(key, 0)
	k.Warmed(key, 1)
	reports := 0
	k.Dirty(0, 100, func(got []byte, f uint8) {
		if reports++; string(got) != "k" || f != 7 {
			t.Errorf("reported %q, %d", got, f)
		}
	})
	k.Dirty(0, 100, func([]byte, uint8) { reports++ })
	if reports != 1 {
		t.Errorf("%d reports of one read", reports)
	}
}

// What is not used for long stays cold, if a sweep of any kind comes by now and then.
func TestSweepsKeepItemsCold(t *testing.T) {
	for name, sweep := range map[string]func(k *Keyspace){
		"Coldest": func(k *Keyspace) { k.Coldest(0, 0, 1<<40, 1, nil) },
		"Dirty":   func(k *Keyspace) { k.Dirty(0, 100, func([]byte, uint8) {}) },
	} {
		s := New()
		k := s.Create(1)
		k.Set([]byte("k"), nil, 0)
		k.Warmed([]byte("k"), 7)
		for epoch := uint64(1); epoch < 100; epoch++ {
			s.SetHeatEpoch(epoch)
			if epoch%5 == 0 {
				sweep(k)
			}
			if f := heatOf(t, k, "k").frequency(epoch); epoch >= coldEpochs && f != 0 {
				t.Fatalf("%s: frequency %d in epoch %d", name, f, epoch)
			}
		}
	}
}

// Sweeps of both kinds run beside the writer and readers.
func TestSweepsBesideTheWriter(t *testing.T) {
	s := New()
	k := s.Create(1)
	steady := []byte("steady")
	k.Set(steady, nil, 0)
	var mu sync.Mutex
	var victims []Victim
	evicted, reports := 0, atomic.Int64{}
	write := func(i uint64) {
		k.Set(fmt.Append(nil, i%7000*31%7000), number(i), int64(i%3*i))
		s.SetHeatEpoch(i / 1000)
		if i%300 == 0 {
			s.Freeze()
		}
		mu.Lock()
		defer mu.Unlock()
		if k.Len() < 3000 {
			victims = nil
		}
		for _, v := range victims {
			memory, there := k.Peek(v.Key)
			it, _ := k.Lookup(v.Key, 0)
			if there && it.Version == v.Version && memory != v.Memory {
				t.Errorf("victim %q of %d bytes has %d", v.Key, v.Memory, memory)
			}
			if string(v.Key) != "steady" && k.Evict(v.Key, v.Version) {
				evicted++
			}
		}
		victims = nil
	}
	var at, from Cursor
	choose := func() {
		var chosen []Victim
		chosen, at = k.Coldest(at, 1000, 1<<30, 20, func(key []byte, _ uint64) bool { return string(key) == "steady" })
		mu.Lock()
		defer mu.Unlock()
		victims = append(victims, chosen...)
	}
	report := func() {
		from = k.Dirty(from, 500, func(key []byte, f uint8) {
			k.Warmed(key, f)
			reports.Add(1)
		})
	}
	read := func() {
		if _, ok := k.Get(steady, 0); !ok {
			t.Error("the steady item is not there")
		}
		var keys [][]byte
		for i := range 50 {
			keys = append(keys, fmt.Append(nil, rand.IntN(7000)*(i%2)))
		}
		k.MGet(keys, 0, nil, func(int, Item, bool) {})
	}
	// How far a sweep comes while the writer is at it is the scheduler's to say.
	for range 100 {
		if race(5000, write, read, choose, report); evicted > 0 && reports.Load() > 0 {
			break
		}
	}
	if evicted == 0 || reports.Load() == 0 {
		t.Errorf("%d evicted, %d reports", evicted, reports.Load())
	}
	checkStructure(t, k)
	checkRebuilt(t, s)
}
