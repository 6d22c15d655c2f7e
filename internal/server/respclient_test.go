package server

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ciderd/test/norace"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestRESPServesWhatTheTextPortStores(t *testing.T) {
	w := startRESP(t, Config{})
	programs := *w
	w.serve(w.server.Serve)
	text, c := w.user("u"), respTester{programs.dial()}
	c.talk("> AUTH u pw-u\n+OK")
	text.talk(`> SET k "a\n\xff"` + "\nOK")
	c.asks("GET", "k")
	c.expectText("$3\r\na\n\xff\r\n")
	c.asks("SET", "k", "x\r\ny")
	c.talk("+OK")
	text.talk("> GET k\n" + `"x\r\ny"`)
	text.talk("> PASSWD pw-u other\nOK")
	c.talk(".") // without a reply
}

func TestRESPTooManyConnections(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		for name, cfg := range map[string]Config{"in all": {MaxConnections: 2}, "per address": {MaxPerAddress: 2}} {
			t.Run(name, func(t *testing.T) {
				w := start(t, cfg)
				w.t = t
				a := w.respUser("u")
				w.respUser("u")
				respTester{w.dial()}.talk("-ERR max number of clients reached\n.")
				a.talk("> QUIT\n+OK\n.")
				a.conn.Close()
				until(t, "there is a place again", func() bool { return w.server.Stats().Connections == 1 })
				w.respUser("u").talk("> PING\n+PONG")
			})
		}
	})
}

func TestRESPBrowsersAreCutOff(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		for _, first := range []string{"POST / HTTP/1.1\r\nHost: x\r\n\r\nSIGNUP u x\r\n", "GET / HTTP/1.1\r\nHost: x\r\nSIGNUP u x\r\n"} {
			c := w.dial()
			io.WriteString(c.conn, first)
			if rest, _ := io.ReadAll(c.r); len(rest) > 0 && !strings.HasPrefix(string(rest), "-NOAUTH") { // the end may be a reset
				t.Errorf("%q was answered %q", first, rest)
			}
		}
		if n := w.node.FSM().Stats().Users; n != 0 {
			t.Error("a browser has signed up")
		}
	})
}

func TestRESPProtocolErrorsCloseTheConnection(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{MaxValue: 1000})
		respTester{w.dial()}.talk("> *11\n-ERR Protocol error: unauthenticated multibulk length\n.")
		respTester{w.dial()}.talk("> *1\n> $16385\n-ERR Protocol error: unauthenticated bulk length\n.")
		c := w.respUser("u")
		c.send(bulks("SET", "a", "1") + "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1001\r\n")
		c.talk("+OK\n-ERR Protocol error: invalid bulk length\n.")
		w.respUser("u").talk("> *16385\n-ERR Protocol error: invalid multibulk length\n.")
		w.respUser("u").talk("> PING \"\n-ERR Protocol error: unbalanced quotes in request\n.")
	})
}

// A request that is too long as a whole is skipped, and all around it is served.
func TestRESPLongRequestsAreSkipped(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{MaxValue: 1 << 20})
		c := w.respUser("u")
		long := []string{"MSET"}
		for i := range 5 {
			long = append(long, itoa(i), strings.Repeat("v", 1<<20))
		}
		go c.sendBeside(bulks("SET", "a", "1") + bulks(long...) + bulks("GET", "a"))
		c.talk("+OK\n-ERR transaction too large, at most 4 MiB of writes\n$1\n1")
		go c.sendBeside(bulks(long[:9]...))
		c.talk("~ -ERR transaction too large")
		go c.sendBeside(bulks(long[:7]...))
		c.talk("+OK\n> DBSIZE\n:4")
	})
}

// When all long requests together take too much memory, one more is refused, and the session lives on.
func TestRESPLongRequestsShareABudget(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		w.server.memory.limit = 100 << 10
		c := w.respUser("u")
		long := bulks("SET", "a", strings.Repeat("v", 300<<10))
		c.send(bulks("SET", "b", "1") + long + bulks("GET", "b") + long)
		c.talk("+OK\n~ -TRYAGAIN \n$1\n1\n~ -TRYAGAIN ")
		c.send(bulks("SET", "a", strings.Repeat("v", 40<<10)) + bulks("PING"))
		c.talk("+OK\n+PONG")
	})
}

func TestRESPEndsWithoutAReply(t *testing.T) {
	cfg := Config{IdleTimeout: 30 * time.Minute, LoginTimeout: time.Minute}
	inRESPBubble(t, cfg, func(t *testing.T, s *Server, dial func() respTester) {
		c, before := dial(), dial()
		c.talk("> SIGNUP u x\n+OK")
		begin := time.Now()
		before.talk("> PING\n-NOAUTH Authentication required.\n.")
		if d := since(begin); d != time.Minute {
			t.Errorf("without a login it ended after %v", d)
		}
		time.Sleep(20 * time.Minute)
		c.talk("> PING\n+PONG")
		begin = time.Now()
		c.talk(".")
		if d := since(begin); d != 30*time.Minute {
			t.Errorf("an idle one ended after %v", d)
		}
	})
}

// What is idle is known to the other connections of the user.
func TestRESPIdleTimeIsListed(t *testing.T) {
	inRESPBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() respTester) {
		a := dial()
		a.talk("> SIGNUP u x\n+OK")
		b := dial()
		b.talk("> AUTH u x\n+OK")
		time.Sleep(50 * time.Second)
		a.talk("> PING\n+PONG")
		time.Sleep(30 * time.Second)
		b.talk("> CLIENT LIST ID 1\n~ $")
		if line := b.line(); !strings.Contains(line, " age=80 idle=30 ") {
			t.Errorf("it is listed as %q", line)
		}
	})
}

// Nothing that comes behind the end is done, even if it came with it.
func TestRESPNothingIsDoneBehindTheEnd(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.respUser("u")
		c.send("QUIT\r\nSET k v\r\n")
		c.talk("+OK\n.")
		c = w.respUser("u")
		c.send("CLIENT KILL LADDR " + c.conn.RemoteAddr().String() + " SKIPME no\r\nSET k v\r\n")
		c.talk("~ :\n.")
		w.respUser("u").talk("> EXISTS k\n:0")
	})
}

// The limits of a login end with it, also for what came in one packet with it.
func TestRESPLimitsFollowTheLogin(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		w.respUser("u").conn.Close()
		c := respTester{w.dial()}
		c.send(bulks("AUTH", "u", "pw-u") + bulks("SET", "k", strings.Repeat("v", 17<<10)))
		c.talk("+OK\n+OK")
		c.send(bulks("RESET") + bulks("SET", "k", strings.Repeat("v", 17<<10)))
		c.talk("+RESET\n-ERR Protocol error: unauthenticated bulk length\n.")
	})
}

// A client that takes none of its replies is not read from, and is cut off after a while.
func TestRESPClientThatReadsNothing(t *testing.T) {
	inRESPBubble(t, Config{StallTimeout: 30 * time.Second}, func(t *testing.T, s *Server, dial func() respTester) {
		c := dial()
		c.talk("> SIGNUP u x\n+OK")
		go c.sendBeside(bulks("SET", "k", strings.Repeat("v", 100_000)))
		c.talk("+OK")
		c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if n, _ := io.WriteString(c.conn, strings.Repeat("GET k\r\n", 1_000_000)); n > readerBurst {
			t.Errorf("%d bytes were read from a client that reads nothing", n)
		}
		begin := time.Now()
		s.running.Wait()
		if d := time.Since(begin); d > 45*time.Second {
			t.Errorf("cut off after %v", d)
		}
	})
}

func TestRESPShutdownFinishesWhatWasRead(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		idle, busy := w.respUser("u"), w.respUser("u")
		w.node.Hold = make(chan struct{})
		n := len(w.node.Sizes())
		busy.send("SET a 1\r\nGET a\r\n")
		until(t, "the write is on its way", func() bool { return len(w.node.Sizes()) == n+1 })
		done := make(chan error, 1)
		go func() { done <- w.server.Shutdown(context.Background()) }()
		idle.talk(".")
		close(w.node.Hold)
		busy.talk("+OK\n$1\n1\n.")
		idle.conn.Close()
		busy.conn.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRESPPanicEndsOneSession(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		a, b := w.respUser("u"), w.respUser("u")
		w.node.OnSync = func(context.Context) error { panic("secret value") }
		a.talk("> CIDERD.SYNC\n~ -ERR internal error\n.")
		b.talk("> SET k v\n+OK\n> CLIENT LIST ID 1 2\n~ $")
		if line := b.line(); !strings.HasPrefix(line, "id=2 ") {
			t.Errorf("the session that has ended is listed: %q", line)
		}
	})
}

// A request without an end is not done, as half a value could be stored.
func TestRESPEndOfInput(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.respUser("u")
		c.send(bulks("SET", "a", "1") + bulks("GET", "a") + "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhal")
		c.halfClose()
		c.talk("+OK\n$1\n1\n.")
		w.respUser("u").talk("> GET a\n$1\n1\n> QUIT\n+OK\n.")
	})
}

func TestRESPPlainTextOnATLSPort(t *testing.T) {
	w := startRESPWithTLS(t, Config{})
	conn := w.plain()
	defer conn.Close()
	io.WriteString(conn, "PING\r\n")
	if got, _ := io.ReadAll(conn); !strings.HasPrefix(string(got), "-ERR this port speaks TLS") { // the end may be a reset
		t.Errorf("got %q", got)
	}
}

func TestRESPProxiedClients(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{ProxyFrom: loopback, MaxPerAddress: 1})
		c := respTester{w.dialProxied(proxied("192.0.2.7:1234"))}
		c.talk("> SIGNUP u x\n+OK\n> CLIENT INFO\n~ $\n~ id=1 addr=192.0.2.7:1234 laddr=127.0.0.1:")
		respTester{w.dialProxied(proxied("192.0.2.7:5678"))}.talk("-ERR max number of clients reached\n.")
	})
}

// The values in the replies to writes count as what a client holds that does not take them.
func TestRESPOldValuesAreCounted(t *testing.T) {
	norace.Memory(t)
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{MaxOutput: 32 << 20})
		c := w.respUser("u")
		value, gets := strings.Repeat("v", 500<<10), ""
		for i := range 100 {
			c.asks("SET", itoa(i), value)
			c.talk("+OK")
			gets += bulks("GETDEL", itoa(i))
		}
		slow := w.respUser("u")
		slow.send(gets)
		until(t, "who keeps 50 MB is cut off", func() bool { return w.server.Stats().Connections == 1 })
		c.talk("> PING\n+PONG")
	})
}

// An allocation budget: a GET costs none, a SET in a burst none either, but for its group's.
func TestRESPAllocations(t *testing.T) {
	s, _ := newTestServer(t, Config{})
	defer s.Close()
	ours, theirs := net.Pipe()
	s.admit(theirs, port{resp: true})
	c := respTester{newClient(t, ours)}
	c.talk("> SIGNUP u x\n+OK\n> SET k 12345678\n+OK")
	const burst = 500
	for command, want := range map[string]struct {
		request, reply string
		most           float64
	}{
		"GET": {bulks("GET", "k"), "$8\r\n12345678\r\n", burst / 10},
		"SET": {bulks("SET", "k", "12345678"), "+OK\r\n", burst * 1.3}, // the record, and hardly more
	} {
		request, reply := []byte(strings.Repeat(want.request, burst)), make([]byte, len(want.reply)*burst)
		sent := make(chan struct{})
		go func() {
			for range sent {
				ours.Write(request)
			}
		}()
		allocs := testing.AllocsPerRun(20, func() {
			sent <- struct{}{}
			if _, err := io.ReadFull(c.r, reply); err != nil {
				t.Fatal(err)
			}
		})
		close(sent)
		// net.Pipe's deadlines allocate, at some Reads and Writes; a garbage collection empties the pools.
		if allocs > want.most {
			t.Errorf("%v allocations for %d times %s", allocs, burst, command)
		}
	}
}

// An idle client lets go of the buffers of its last burst.
func TestRESPIdleClientIsSmall(t *testing.T) {
	inRESPBubble(t, Config{}, func(t *testing.T, s *Server, _ func() respTester) {
		ours, theirs := net.Pipe()
		k := newSocket(theirs, theirs.RemoteAddr())
		p := port{resp: true}
		s.enter(k, p)
		only := newRESPClient(s, k, p)
		go func() {
			defer s.leave(k)
			only.run()
		}()
		c := respTester{newClient(t, ours)}
		c.talk("> SIGNUP u x\n+OK")
		go c.sendBeside(strings.Repeat(bulks("SET", "k", "v"), 5000) + bulks(strings.Fields("DEL"+strings.Repeat(" k", 5000))...) + bulks("GET", "k"))
		for range 5000 {
			c.talk("+OK")
		}
		c.talk(":1\n$-1")
		time.Sleep(2 * burstHold)
		synctest.Wait()
		if held := only.in.Size(); held > readerIdle || only.out.buffer != nil {
			t.Errorf("an idle client holds %d bytes in its reader, %v", held, only.out.buffer)
		}
		c.talk("> PING\n+PONG")
	})
}
