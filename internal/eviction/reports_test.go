package eviction

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"ciderd/internal/fsm"
)

// pair is two nodes with the same state, of two users.
func pair(t *testing.T) (here, there *log) {
	var logs [2]*log
	for i := range logs {
		g := newLog(t, fsm.Limits{MaxMemory: fsm.MinMemory})
		for _, name := range []string{"alice", "bob"} {
			user := g.user(name)
			var batch []fsm.Command
			for k := range 500 {
				batch = append(batch, fsm.Command{Op: fsm.OpSet, User: user, Key: fmt.Append(nil, k), Value: make([]byte, 16<<10)})
			}
			g.write(batch...)
		}
		g.settle()()
		logs[i] = g
	}
	return logs[0], logs[1]
}

// What is read on one node is warm on the other, is reported once, and is not reported back.
func TestReports(t *testing.T) {
	here, there := pair(t)
	read := func(user uint64, from, to int) {
		ks := here.fsm.Shares().Keyspace(user)
		for k := from; k < to; k++ {
			if _, ok := ks.Get(fmt.Append(nil, k), 1); !ok {
				t.Fatalf("key %d is not there", k)
			}
		}
	}
	here.fsm.Shares().Store().SetHeatEpoch(5)
	there.fsm.Shares().Store().SetHeatEpoch(5)
	read(1, 0, 100)
	read(2, 400, 500)
	var w walk
	reports := 0
	for range 50 {
		w.report(here.fsm.Shares(), func(report []byte) {
			reports++
			if err := Follow(there.fsm.Shares(), report); err != nil {
				t.Fatal(err)
			}
		})
	}
	if reports == 0 {
		t.Fatal("nothing was reported")
	}
	for range 50 {
		w.report(there.fsm.Shares(), func(report []byte) { t.Fatalf("an echo of %d bytes", len(report)) })
	}
	// There, what was read here is what stays.
	for user, warm := range map[uint64][2]int{1: {0, 100}, 2: {400, 500}} {
		victims, _ := there.fsm.Shares().Keyspace(user).Coldest(0, 1, 1<<40, 300, nil)
		for _, v := range victims {
			for k := warm[0]; k < warm[1]; k++ {
				if string(v.Key) == fmt.Sprint(k) {
					t.Errorf("user %d: %s was read and is a victim among 300 of 500", user, v.Key)
				}
			}
		}
	}
}

// All of what was read fits into the messages that nodes take, with long keys too; the items of many small users are
// met as soon as those of a large one.
func TestReportsFit(t *testing.T) {
	for _, c := range []struct{ users, keys, size int }{{1, 4000, 1000}, {1, 20_000, 10}, {200, 10, 10}} {
		g := newLog(t, fsm.Limits{MaxMemory: 64 << 20})
		for i := range c.users {
			user := g.user(fmt.Sprint("user", i))
			for k := 0; k < c.keys; k += 10 {
				var batch []fsm.Command
				for j := range 10 {
					batch = append(batch, fsm.Command{Op: fsm.OpSet, User: user, Key: fmt.Appendf(nil, "%0*d", c.size, k+j)})
				}
				g.write(batch...)
			}
		}
		unlock := g.settle()
		s := g.fsm.Shares()
		s.Store().SetHeatEpoch(5)
		s.Each(func(user uint64, _ fsm.Usage) {
			for k := range c.keys {
				s.Keyspace(user).Get(fmt.Appendf(nil, "%0*d", c.size, k), 1)
			}
		})
		bytes, ticks := 0, 0
		for w := (walk{pace: pace{rate: 1 << 40}}); ticks == 0 || len(w.users) > 0; ticks++ {
			tick := 0
			w.report(s, func(report []byte) {
				tick += len(report)
				if message, _ := json.Marshal(map[string]any{"Heat": struct{ Reads []byte }{report}}); len(message) > 64<<10 {
					t.Errorf("%+v: a message of %d bytes", c, len(message))
				}
			})
			if bytes += tick; tick > reportBytes+messageBytes {
				t.Errorf("%+v: %d bytes in one tick", c, tick)
			}
		}
		if most := 2 + bytes/reportBytes; bytes < c.users*c.keys*c.size || ticks > most {
			t.Errorf("%+v: %d bytes in %d ticks, want at most %d", c, bytes, ticks, most)
		}
		unlock()
	}
}

// The faster items are evicted the sooner reads are reported; while none are a round takes its time, and little is sent.
func TestPace(t *testing.T) {
	const items = 800_000
	var p pace
	check := func(evicted uint64, least, upto time.Duration, want int) {
		t.Helper()
		if round, most := p.next(evicted, items); round < least || round > upto || most != want {
			t.Errorf("rounds of %v and %d bytes, want %v to %v and %d", round, most, least, upto, want)
		}
	}
	check(0, roundMost, roundMost, calmBytes)
	check(1, roundMost, roundMost, reportBytes)
	at := uint64(1)
	for range 3 { // 40,000 a second: all of them in twenty
		at += 10_000
		check(at, 2*time.Second, 3*time.Second, reportBytes)
	}
	at += items // all of them in one tick
	check(at, 400*time.Millisecond, 400*time.Millisecond, reportBytes)
	check(at-items, 400*time.Millisecond, 500*time.Millisecond, reportBytes) // of a restored state
	for range 50 {
		p.next(at-items, items)
	}
	check(at-items, roundMost, roundMost, calmBytes)
}

// Nothing is sent while memory is far from its limit.
func TestNoReportsWithoutNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := fsm.New("a/1", fsm.Hooks{})
		ctx, cancel := context.WithCancel(t.Context())
		r := Reporter{Shares: state.Shares, Send: func(context.Context, []byte) { t.Error("a report") }}
		done := make(chan struct{})
		go func() { r.Run(ctx); close(done) }()
		time.Sleep(time.Minute)
		cancel()
		<-done
	})
}

// A report comes from another process: whatever it is, it breaks nothing.
func FuzzFollow(f *testing.F) {
	state := fsm.New("a/1", fsm.Hooks{})
	f.Add([]byte{1, 1, 0, 7, 1, 'k'})
	f.Add([]byte{1, 255, 255, 7, 1, 'k'})
	f.Fuzz(func(t *testing.T, report []byte) {
		kept := bytes.Clone(report)
		_ = Follow(state.Shares(), report)
		if !bytes.Equal(kept, report) {
			t.Error("the report was changed")
		}
	})
}
