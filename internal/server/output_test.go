package server

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ciderd/test/norace"
)

// quoted is a value that has to be quoted, four bytes for one.
var quoted = strings.Repeat(`\xff`, 512<<10)

// greedy are connections of a user that have asked for n large values and read nothing of them.
func greedy(t *testing.T, w *world, user string, connections, n int) (all []*testClient) {
	t.Helper()
	for range connections {
		c := w.user(user)
		c.send(strings.Repeat("GET large\n", n))
		all = append(all, c)
	}
	until(t, "all of them wait for their clients", func() bool { return w.stuck() == connections })
	return all
}

// stuck is how many sessions hold replies that their clients do not take.
func (w *world) stuck() int {
	b := w.server.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.held)
}

// What clients do not read of large values takes little memory, however they are printed.
func TestUnreadLargeValuesTakeLittle(t *testing.T) {
	norace.Memory(t)
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		w.user("u").talk("> SET large \"" + quoted + "\"\nOK")
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		const connections = 60
		all := greedy(t, w, "u", connections, 4)
		if each := int64(heap()-before) / connections; each > 100<<10 {
			t.Errorf("each connection that reads nothing takes %d KiB", each>>10)
		}
		for _, c := range all[:3] { // and those that read after all get what they asked for
			for range 4 {
				c.expect(`"` + quoted + `"`)
			}
			c.talk("> PING\nPONG")
		}
	})
}

// When replies that are not read take more than the limit, those that hold most are cut off, and nobody else.
func TestUnreadRepliesAreBounded(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{MaxOutput: 1 << 20})
		other := w.user("u")
		other.talk("> SET large \"" + quoted + "\"\nOK")
		for range 100 {
			c := w.user("u")
			c.send("GET large\n")
		}
		until(t, "some are cut off", func() bool { return w.server.Stats().Connections < 80 })
		b := w.server.backlog
		b.mu.Lock()
		if b.total > b.limit || len(b.held) < 4 {
			t.Errorf("%d sessions hold %d bytes, and the limit is %d", len(b.held), b.total, b.limit)
		}
		b.mu.Unlock()
		other.talk("> PING\nPONG")
	})
}

// Values that have left the cache while a client has yet to take them count as what it holds.
func TestPinnedValuesAreCounted(t *testing.T) {
	norace.Memory(t)
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{MaxOutput: 32 << 20})
		c, other := w.user("u"), w.user("v")
		value := strings.Repeat("v", 500<<10)
		keys := ""
		for i := range 100 {
			c.talk(fmt.Sprintf("> SET k%d %s\nOK", i, value))
			keys += fmt.Sprintf(" k%d", i)
		}
		slow := w.user("u")
		slow.send("MGET" + keys + "\n")
		until(t, "it waits", func() bool { return w.stuck() == 1 })
		time.Sleep(2 * stallStep)
		if w.server.Stats().Connections != 3 {
			t.Fatal("a client is cut off for values that are in the cache")
		}
		c.talk("> FLUSH ALL\nOK")
		until(t, "who keeps 50 MB is cut off", func() bool { return w.server.Stats().Connections == 2 })
		other.talk("> PING\nPONG")
	})
}

// What a client reads slowly is what was stored, whatever the pieces.
func TestSlowReaderGetsAll(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.user("u")
		raw := strings.Repeat("0123456789", 50_000)
		c.talk("> SET raw " + raw + "\nOK\n> SET large \"" + quoted + "\"\nOK")
		c.send("GET raw\nGET large\nMGET raw large raw\nGETV raw\nPING\n")
		q := `"` + quoted + `"`
		want := strings.Join([]string{raw, q, raw, q, raw, "END", "VALUE 1700000000000001 - " + raw, "PONG", ""}, "\n")
		var got strings.Builder
		for got.Len() < len(want) {
			if _, err := io.CopyN(&got, c.r, min(100_003, int64(len(want)-got.Len()))); err != nil {
				t.Fatalf("after %d of %d bytes: %v", got.Len(), len(want), err)
			}
			time.Sleep(time.Millisecond)
		}
		if got.String() != want {
			t.Error("got what was not sent")
		}
	})
}

// A large part of a large line may not be sent bit by bit.
func TestTricklingALongLine(t *testing.T) {
	inBubble(t, Config{IdleTimeout: time.Hour}, func(t *testing.T, s *Server, dial func() *testClient) {
		c := dial()
		c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		for _, pause := range []time.Duration{0, 7 * time.Second} { // a long line that comes at some pace is fine
			c.send("SET k ")
			for range 5 {
				c.send(strings.Repeat("v", 64<<10))
				time.Sleep(pause)
			}
			c.talk("> \nOK")
		}
		c.send("SET k short, and typed by somebody who went out for lunch")
		time.Sleep(50 * time.Minute)
		c.talk("> \nOK")
		c.send("SET k " + strings.Repeat("v", 100<<10))
		begin := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { c.trickle(5 * time.Second) })
		c.expectCode("IDLE_TIMEOUT")
		if d := since(begin); d < 30*time.Second || d > 45*time.Second {
			t.Errorf("ended after %v", d)
		}
		wg.Wait()
	})
}

// However many unfinished lines one user has sent, another's value is taken.
func TestUploadsHaveShares(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		w.server.memory.limit = 16 << 20
		other := w.user("other")
		w.user("u")
		for range 14 {
			c := w.user("u")
			go io.WriteString(c.conn, "SET k "+strings.Repeat("v", 1<<20))
		}
		until(t, "all have sent what they may", func() bool {
			before := w.server.memory.inUse()
			time.Sleep(20 * time.Millisecond)
			return before > 4<<20 && w.server.memory.inUse() == before
		})
		for range 20 {
			other.talk("> SET k " + strings.Repeat("v", 400<<10) + "\nOK")
		}
	})
}

func TestShares(t *testing.T) {
	m := newShares(1000)
	take := func(user uint64, addr string) (got int64) {
		o := owner{user, addr}
		for m.take(o, 1) {
			got++
		}
		m.give(o, 1)
		return got
	}
	for _, want := range []struct {
		user  uint64
		addr  string
		bytes int64
	}{{1, "a", 500}, {2, "a", 250}, {3, "a", 0}, {3, "b", 125}, {3, "c", 0}} {
		if got := take(want.user, want.addr); got != want.bytes {
			t.Errorf("user %d of %s has %d bytes, want %d", want.user, want.addr, got, want.bytes)
		}
	}
	m.give(owner{1, "a"}, 500)
	m.give(owner{2, "a"}, 250)
	m.give(owner{3, "b"}, 125)
	if m.inUse() != 0 || len(m.users) != 0 || len(m.addrs) != 0 {
		t.Errorf("%d bytes are left, of %v and %v", m.inUse(), m.users, m.addrs)
	}
}
