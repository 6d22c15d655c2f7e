package report

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/auth"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
	"ciderd/internal/server"
)

// What is over is told in steps that stay the same, and all together they are what has happened.
func TestSteps(t *testing.T) {
	var now Counters
	h := NewHistory(func() Counters { return now })
	if steps := h.Steps(); len(steps) != 0 {
		t.Errorf("of nothing: %+v", steps)
	}
	start := time.Unix(1_900_000_003, 0)
	var before []Step
	for i := range 60 {
		now.Commands += 20
		now.Evicted++
		now.Hits++
		now.Memory, now.Limit = int64(i), 100
		h.note(start.Add(time.Duration(i) * time.Second))
		steps := h.Steps()
		if i > 30 && !slices.Equal(steps[:3], before[:3]) {
			t.Fatalf("after %d s the past is %+v, and was %+v", i, steps[:3], before[:3])
		}
		before = steps
	}
	evicted, seconds := uint64(0), 0.0
	for i, s := range before {
		evicted, seconds = evicted+s.Evicted, seconds+s.Seconds
		if s.Operations != 20 || s.Limit != 100 || i > 0 && i < len(before)-1 && (s.Seconds != 10 || s.At%10_000 != 0) {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	if last := before[len(before)-1]; evicted != 59 || seconds != 59 || last.Memory != 59 || last.At != start.Add(59*time.Second).UnixMilli() {
		t.Errorf("%d evicted in %v s, the last step is %+v", evicted, seconds, last)
	}
}

// What happens between two moments is told once, in words.
func TestEvents(t *testing.T) {
	var e Events
	m := moment{node: "n1", leader: "n2", voters: 3, silent: map[string]string{"n2": "", "n3": ""}}
	at := time.Unix(1_900_000_000, 0)
	said := func(change func(*moment), seconds int) (texts []string) {
		seen := len(e.Latest())
		next := m
		next.silent = map[string]string{}
		for name, why := range m.silent {
			next.silent[name] = why
		}
		change(&next)
		m, at = next, at.Add(time.Duration(seconds)*time.Second)
		e.note(at, m)
		latest := e.Latest()
		for _, event := range latest[:len(latest)-seen] {
			if event.At != at.UnixMilli() || event.Kind == "" {
				t.Errorf("%+v at %v", event, at)
			}
			texts = append(texts, event.Text)
		}
		return texts
	}
	for i, x := range []struct {
		change  func(*moment)
		seconds int
		want    string
	}{
		{func(*moment) {}, 1, ""},
		{func(m *moment) { m.leader = "" }, 1, "no leader is known; n2 led before"},
		{func(m *moment) { m.silent["n2"] = "connection refused" }, 1, "n2 does not answer: connection refused"},
		{func(m *moment) { m.leader = "n3" }, 1, "n3 leads now"},
		{func(m *moment) { m.silent["n2"] = "no route" }, 1, ""},
		{func(m *moment) { m.silent["n2"] = "" }, 1, "n2 answers"},
		{func(m *moment) { m.leader, m.changes = "n1", 7 }, 1, "n1 leads now; n3 led before"},
		{func(m *moment) { m.changes = 9 }, 1, "2 changes of the leader; n1 leads again"},
		{func(m *moment) { m.voters = 2 }, 1, "2 servers vote now; 3 did before"},
		{func(m *moment) { delete(m.silent, "n3") }, 1, "n3 is gone"},
		{func(m *moment) { m.silent["n4"] = "" }, 1, "n4 is there"},
		{func(m *moment) { m.draining, m.notReady = true, "draining" }, 1, "n1 is draining"},
		{func(m *moment) { m.draining, m.notReady = false, "" }, 1, "n1 takes clients again"},
		{func(m *moment) { m.notReady = "catching up" }, 1, "n1 serves no reads: catching up"},
		{func(m *moment) { m.evicted = 50 }, 1, ""}, // a snapshot is read
		{func(m *moment) { m.notReady = "" }, 1, "n1 serves reads"},
		{func(m *moment) { m.full = true }, 1, "the disk of n1 is nearly full"},
		{func(m *moment) { m.full = false }, 1, "the disk of n1 has space again"},
		{func(m *moment) { m.evicted, m.memoryLimit = 57, 1<<30 }, 1, "evictions begin: memory is at the limit of 1.0 GiB, or a user at a quota"},
		{func(m *moment) { m.evicted = 60 }, 20, ""},
		{func(*moment) {}, 20, ""},
		{func(*moment) {}, 20, "evictions have ended: 10 items"},
		{func(*moment) {}, 20, ""},
		{func(m *moment) { m.wrong = wrongTold }, 1, "100 logins with wrong passwords within a minute on n1"},
		{func(m *moment) { m.wrong = 500 }, 1, ""},
		{func(m *moment) { m.wrong = 1 }, 1, "the flood of wrong passwords on n1 is over"},
	} {
		if got := strings.Join(said(x.change, x.seconds), "|"); got != x.want {
			t.Errorf("step %d says %q, want %q", i, got, x.want)
		}
	}
}

func TestRestartsAndBounds(t *testing.T) {
	var e Events
	now := time.Now()
	look := func(started int64) {
		e.look(now, []NodeView{{Name: "n2", Own: &Own{Version: "1", Started: started}}, {Name: "n3"}})
	}
	look(5_000)
	look(5_200) // a clock that was set a little
	look(60_000)
	if got := e.Latest(); len(got) != 1 || got[0].Text != "n2 was restarted, release 1" {
		t.Errorf("%+v", got)
	}
	for i := range 3 * mostEvents {
		e.add(now, "test", fmt.Sprint(i))
	}
	if got := e.Latest(); len(got) != mostEvents || got[0].Text != fmt.Sprint(3*mostEvents-1) {
		t.Errorf("%d events, the latest is %+v", len(got), got[0])
	}
}

// Who asks most comes first, by what was asked since it was last counted; who is idle, or new, does not come.
func TestBusiest(t *testing.T) {
	var b Busiest
	loads := []server.UserLoad{{ID: 7, Sessions: 1, Reads: 100}, {ID: 8, Sessions: 2, Writes: 5}, {ID: 9, Sessions: 1}}
	read := func() []server.UserLoad { return loads }
	now := time.Now()
	if got := b.now(now, read); len(got) != 0 {
		t.Errorf("at first: %+v", got)
	}
	loads = []server.UserLoad{{ID: 7, Sessions: 1, Reads: 120}, {ID: 8, Sessions: 2, Writes: 45}, {ID: 9, Sessions: 1}, {ID: 10, Reads: 1000}}
	if got := b.now(now.Add(time.Second), read); len(got) != 0 {
		t.Errorf("too early: %+v", got)
	}
	got := b.now(now.Add(10*time.Second), read)
	if want := []Busy{{8, 2, 0, 4}, {7, 1, 2, 0}}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	loads[0].Reads += 1000
	if got := b.now(now.Add(10*time.Minute), read); len(got) != 0 {
		t.Errorf("after a long time: %+v", got)
	}
	loads = nil
	for id := range uint64(50) {
		loads = append(loads, server.UserLoad{ID: id})
	}
	b.now(now.Add(11*time.Minute), read)
	for i := range loads {
		loads[i].Reads = 10
	}
	if got := b.now(now.Add(11*time.Minute+countEvery), read); len(got) != mostBusy || got[0].User != 0 {
		t.Errorf("%d of 50: %+v", len(got), got)
	}
}

// A node that is watched notes what happens to it and to the others, until it is told to stop.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var after atomic.Bool // the change of leader, and the restart
		before := func() bool { return !after.Load() }
		s := &Source{
			Status: func() cluster.Status {
				if before() {
					return cluster.Status{Node: "n1", Leader: "n2", Ready: true}
				}
				return cluster.Status{Node: "n1", Leader: "n1", Ready: true}
			},
			Log: func() cluster.Stats { return cluster.Stats{} }, Clients: func() server.Stats { return server.Stats{} },
			Accounts: func() accounts.Stats { return accounts.Stats{} }, Logins: func() auth.Stats { return auth.Stats{} },
			State: func() fsm.Stats { return fsm.Stats{} }, PeerTLS: func() string { return "" }, Draining: func() bool { return false },
			Notices: func() []string { return nil }, Load: func() server.Load { return server.Load{Commands: uint64(time.Now().Unix())} },
			Asking: func() []server.UserLoad { return nil }, Machine: func() Machine { return Machine{} },
			Others: func(context.Context) []Said {
				started := 1000
				if !before() {
					started = 100_000
				}
				return []Said{{Name: "n2", Text: fmt.Appendf(nil, `{"Node":"n2","Version":"2","Started":%d}`, started)}}
			},
			Settings: func() map[string]string { return nil }, Certificates: func() map[string]time.Time { return nil },
			Version: "1", Started: time.Now(),
		}
		s.History = NewHistory(s.Counters)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Watch(ctx); close(done) }()
		time.Sleep(30*time.Second + time.Millisecond)
		synctest.Wait()
		after.Store(true)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		past := s.Past()
		var texts []string
		for _, e := range past.Events {
			texts = append(texts, e.Text)
		}
		want := []string{"n2 was restarted, release 2", "n1 leads now; n2 led before", "n1 has started, release 1"}
		if past.Node != "n1" || !slices.Equal(texts, want) || len(past.Steps) < 5 || past.Steps[2].Operations != 1 {
			t.Errorf("%q, %+v", texts, past)
		}
		cancel()
		<-done
	})
}
