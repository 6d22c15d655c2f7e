package server

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"ciderd/internal/cluster"
)

// A burst of writes is proposed in groups, answered in order; the reads in it see the writes before
// them and not those behind.
func TestBurstIsAnsweredInOrder(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.user("u")
		before := len(w.node.Sizes())
		var in, want strings.Builder
		for i := range 200 {
			fmt.Fprintf(&in, "SET k %d\nINCR n\nGET k\nGET n\n@@@\n\nSET k x%d\n", i, i)
			fmt.Fprintf(&want, "OK\n%d\n%d\n%d\nERR UNKNOWN_COMMAND unknown command; HELP lists the commands\nOK\n", i+1, i, i+1)
		}
		go io.WriteString(c.conn, in.String())
		c.expectText(want.String())
		// Two writes and one more before each read: never more groups than that.
		if n := len(w.node.Sizes()) - before; n > 2*200+20 {
			t.Errorf("%d groups for 200 rounds", n)
		}
	})
}

// What a session may propose at a time, and how many groups it may have on their way.
const (
	groupCommands = 1024
	groupBytes    = 256 << 10
	groupsAhead   = 4
)

func TestGroupsAreBounded(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.user("u")
		before := len(w.node.Sizes())
		var in strings.Builder
		in.WriteString("PING\n")
		for range 5000 {
			in.WriteString("INCR n\n")
		}
		for range 20 {
			in.WriteString("SET big " + strings.Repeat("v", 100_000) + "\n")
		}
		in.WriteString("SET big " + strings.Repeat("w", 300_000) + "\nGET n\n")
		go io.WriteString(c.conn, in.String())
		c.expect("PONG")
		for i := range 5000 {
			c.expect(fmt.Sprint(i + 1))
		}
		for range 21 {
			c.expect("OK")
		}
		c.expect("5000")
		for _, g := range w.node.Groups()[before:] {
			if g.Commands > groupCommands || g.Commands > 1 && g.Bytes > groupBytes {
				t.Errorf("a group of %d commands and %d bytes", g.Commands, g.Bytes)
			}
		}
		if n := w.node.Ahead(); n > groupsAhead {
			t.Errorf("%d groups on their way at a time", n)
		}
	})
}

// While a group is on its way the session goes on reading, up to a bound.
func TestGroupsGoAhead(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.user("u")
		w.node.Hold = make(chan struct{})
		before := len(w.node.Sizes())
		c.send("INCR n\n")
		until(t, "the first is on its way", func() bool { return len(w.node.Sizes()) == before+1 })
		c.send(strings.Repeat("INCR n\n", 6*groupCommands)) // waits in the kernel meanwhile
		w.node.Hold <- struct{}{}
		full := func() bool { return w.node.Ahead() == groupsAhead }
		until(t, "the session has as many groups on their way as it may", full)
		close(w.node.Hold)
		for i := range 6*groupCommands + 1 {
			c.expect(fmt.Sprint(i + 1))
		}
		if !full() {
			t.Errorf("%d groups on their way at a time", w.node.Ahead())
		}
	})
}

func TestGroupFailsAsAWhole(t *testing.T) {
	w := start(t, Config{})
	c := w.user("u")
	w.node.Fail(cluster.ErrNoLeader)
	c.send(strings.Repeat("SET a 1\n", 10))
	for range 10 {
		c.expectCode("NO_LEADER")
	}
	w.node.Fail(nil)
	c.talk("> GET a\nNOT_FOUND")
}

func TestEOFFinishesCompleteLines(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.user("u")
		c.send("SET a 1\nSET b 2\nGET a\nSET b half")
		c.halfClose()
		c.expect("OK", "OK", "1")
		c.expectEnd()
		w.user("u").talk("> GET b\n2")
	})
}

// A client that sends and goes away without reading a reply has its lines done all the same.
func TestLinesOfAClientThatIsGone(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.user("u")
		c.send(strings.Repeat("INCR n\n", 3000))
		c.conn.Close()
		until(t, "all lines are done", func() bool {
			u, _ := w.node.FSM().Lookup([]byte("u"))
			it, _ := w.node.FSM().Reader(u.ID).Keyspace().Get([]byte("n"), w.node.Clock().Now())
			return string(it.Value) == "3000"
		})
	})
}

// But what could only be answered is not looked up: a few lines can ask for gigabytes.
func TestReadsOfAClientThatIsGone(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.user("u")
		c.talk("> SET k " + strings.Repeat("v", 100_000) + "\nOK")
		const lines, words = 3, 1000
		c.send(strings.Repeat("MGET"+strings.Repeat(" k", words)+"\n", lines) + strings.Repeat("GET k\n", 1000) + "INCR n\n")
		c.reset()
		until(t, "its session has ended", func() bool { return w.server.Stats().Connections == 0 })
		c = w.user("u")
		c.talk("> GET n\n1\n> STATS")
		for !strings.HasPrefix(c.line(), "version") {
		}
		var hits int
		if _, err := fmt.Sscanf(c.line(), "hits %d", &hits); err != nil {
			t.Fatal(err)
		}
		// The kernel's buffers take some megabytes before the connection's end shows.
		if hits > 500 {
			t.Errorf("%d values were looked up for a client that was gone", hits)
		}
	})
}

func TestNothingAfterQuit(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.user("u")
		c.send("SET a 1\nQUIT\nSET a 2\n" + strings.Repeat("PING\n", 1000))
		c.expect("OK", "BYE")
		c.expectEnd()
		c = w.user("u")
		c.send("GET a\n\x04\nGET a\n")
		c.expect("1", "BYE")
		c.expectEnd()
	})
}

// A line that is too long is skipped, and all around it is served.
func TestLongLines(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{MaxValue: 1000})
		c := w.user("u")
		long := strings.Repeat("y", 4*1000+16<<10+1)
		c.send("SET a 1\n" + long + "\nGET a\n")
		c.expect("OK")
		c.expectCode("LINE_TOO_LONG")
		c.expect("1")
		// The largest value, each byte of it escaped, fits.
		c.send("SET a \"" + strings.Repeat(`\xff`, 1000) + "\"\nGET a\n")
		c.expect("OK", "\""+strings.Repeat(`\xff`, 1000)+"\"")
		c.send(long)
		c.halfClose()
		c.expectEnd()
	})
}

// When all long lines together take too much memory, one more is refused, and the session lives on.
func TestLongLinesShareABudget(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		w.server.memory.limit = 100 << 10
		c := w.user("u")
		long := "SET a " + strings.Repeat("v", 300<<10) + "\n"
		c.send("SET b 1\n" + long + "GET b\n" + long)
		c.expect("OK")
		c.expectCode("BUSY")
		c.expect("1")
		c.expectCode("BUSY")
		c.send("SET a " + strings.Repeat("v", 40<<10) + "\nPING\n")
		c.expect("OK", "PONG")
	})
}

func TestOneGroupForABurst(t *testing.T) {
	w := start(t, Config{})
	a, b := net.Pipe()
	w.server.admit(b, port{})
	c := newClient(t, a)
	c.talk("LOGIN or SIGNUP\n> SIGNUP p x\nUser created successfully")
	before := len(w.node.Sizes())
	go c.sendBeside(strings.Repeat("INCR n\n", 50)) // 350 bytes: one Read
	for i := range 50 {
		c.expect(fmt.Sprint(i + 1))
	}
	if got := w.node.Sizes()[before:]; !slices.Equal(got, []int{50}) {
		t.Errorf("the groups were %v", got)
	}
}

// A few bytes that copy half a megabyte on every node do not come by the thousand in one entry, whether
// the value is there already or on its way.
func TestGroupsAreBoundedByWork(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.user("u")
		large := "SET big " + strings.Repeat("v", 300<<10) + "\n"
		for name, tc := range map[string]struct {
			first, then string
			most        int
		}{
			"of a value that is there": {large + "GET none\n", strings.Repeat("EXPIRE big 1d\n", 40), 1},
			"of one on its way":        {"", large + strings.Repeat("PERSIST big\nAPPEND big x\n", 20), 2},
			"in an MSET":               {"FLUSH ALL\nGET none\n", "MSET " + large[4:len(large)-1] + "\n" + strings.Repeat("EXPIRE big 1d\n", 40), 2},
			"of small ones":            {"SET small v\nGET none\n", strings.Repeat("EXPIRE small 1d\n", 40), 40},
		} {
			go io.WriteString(c.conn, tc.first+"PING first\n")
			c.until("first")
			before := len(w.node.Sizes())
			go io.WriteString(c.conn, tc.then+"PING then\n")
			c.until("then")
			if got := slices.Max(w.node.Sizes()[before:]); got > tc.most {
				t.Errorf("%s: a group of %d commands", name, got)
			}
		}
	})
}
