package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A client that pauses while 24 MB of replies wait gets all of them: no write that has to wait is the last one.
func TestPausingReaderGetsAll(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		c := w.user("u")
		value := strings.Repeat("0123456789", 40_000)
		c.talk("> SET k " + value + "\nOK")
		go c.sendBeside(strings.Repeat("GET k\n", 60) + "PING\n")
		for i := range 60 {
			if i == 10 {
				time.Sleep(2*stallStep + stallStep/2)
			}
			c.expectText(value + "\n")
		}
		c.expect("PONG")
	})
}

// halves is a connection to a server's port whose bytes a test cuts as it likes.
type halves struct {
	net.Conn
	hold func(p []byte) (n int) // how many bytes of a Write are sent; the rest waits for rest
	left []byte
}

func (h *halves) Write(p []byte) (int, error) {
	n := len(p)
	if h.hold != nil {
		n = h.hold(p)
	}
	h.left = append(h.left, p[n:]...)
	_, err := h.Conn.Write(p[:n])
	return len(p), err
}

func (h *halves) rest() {
	h.Conn.Write(h.left)
	h.left = nil
}

// dialHalves is dial, through halves.
func (w *world) dialHalves() (*testClient, *halves) {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(testPatience))
	h := &halves{Conn: conn}
	return newClient(w.t, tls.Client(h, w.secure)), h
}

// A poll in the middle of a record, at whatever byte, neither loses anything nor ends the connection, and the lines that
// have come are answered meanwhile.
func TestPollInARecord(t *testing.T) {
	t.Parallel()
	w := startTLS(t, Config{})
	c, h := w.dialHalves()
	c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
	pad := strings.Repeat("v", 40) // two lines in a record, and the rest of the second in another
	for cut := range 60 {
		for _, polls := range []bool{false, true} {
			h.hold = nil
			first := fmt.Sprintf("SET k%d %s\n", cut, pad)
			if polls { // fill the Reader's buffer, so that it polls
				first = strings.Repeat("SET k 1\n", 4096+92)
			}
			c.send(first)
			h.hold = func(p []byte) int { return min(cut, len(p)) }
			c.send(fmt.Sprintf("SET l%d %s\n", cut, pad))
			for range strings.Count(first, "\n") {
				c.expect("OK")
			}
			h.rest()
			c.expect("OK")
		}
	}
	h.hold = nil
	c.talk("> PING\nPONG")
}

// The other deadlines of a Read are as harmless: the one by which a buffer is returned, and those of a watch.
func TestDeadlineInARecord(t *testing.T) {
	t.Parallel()
	w := startTLS(t, Config{})
	c, h := w.dialHalves()
	c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
	c.send(strings.Repeat("PING\n", 10_000))
	for range 10_000 {
		c.expect("PONG")
	}
	for _, cut := range []int{1, 5, 20} {
		h.hold = func(p []byte) int { return cut }
		c.send("PING again\n")
		time.Sleep(burstHold + 100*time.Millisecond)
		h.rest()
		c.expect("again")
	}
}

// crumbs is a connection that sends what is written in pieces of random size.
type crumbs struct {
	net.Conn
	rng *rand.Rand
}

func (c crumbs) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), 1+c.rng.IntN([]int{10, 1000, 20_000}[c.rng.IntN(3)]))
		if _, err := c.Conn.Write(rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// However lines are cut into records, and records into packets, each has its reply, and reads see the writes before them.
func TestRecordsAndPacketsCutAnywhere(t *testing.T) {
	w := startTLS(t, Config{})
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 7))
		c := newClient(t, tls.Client(crumbs{w.plain(), rand.New(rand.NewPCG(seed, 8))}, w.secure))
		c.talk(fmt.Sprintf("LOGIN or SIGNUP\n> SIGNUP u%d x\nUser created successfully", seed))
		var asks []asked
		for i := range 1000 {
			n := strconv.Itoa(i + 1)
			asks = append(asks, asked{send: "INCR n", want: n})
			switch rng.IntN(4) {
			case 0:
				asks = append(asks, asked{send: "GET n", want: n})
			case 1:
				value := strings.Repeat("v", rng.IntN(5000)) + n
				asks = append(asks, asked{send: "SET k " + value, want: "OK"}, asked{send: "GET k", want: value})
			}
		}
		go c.sendInPieces(asks, rng)
		for _, a := range asks {
			c.readReply(a)
		}
		c.talk("> QUIT\nBYE\n.")
	}
}

// Lines that come in a record each are answered together, as if they had come in one.
func TestRecordsAreGrouped(t *testing.T) {
	for line, first := range map[string]int{"INCR n\n": 1, "COUNT\n": 0} {
		w := startTLS(t, Config{})
		tape := &taped{Conn: w.plain()}
		h := &halves{Conn: tape}
		c := newClient(t, tls.Client(h, w.secure))
		c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		h.hold = func([]byte) int { return 0 }
		const lines = 100
		for range lines {
			c.send(line)
		}
		groups, records := len(w.node.Sizes()), len(tape.records(t))
		h.rest()
		for i := range lines {
			c.expect(fmt.Sprint(first * (i + 1)))
		}
		groups, records = len(w.node.Sizes())-groups, len(tape.records(t))-records
		if groups > lines/10 || records > lines/10 {
			t.Errorf("%d groups, and %d records of answers, for %d times %q", groups, records, lines, line)
		}
	}
}

// taped is a connection of which all that comes is kept.
type taped struct {
	net.Conn
	tape bytes.Buffer
}

func (c *taped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.tape.Write(p[:n])
	return n, err
}

// records returns how long the records are that came, without their headers.
func (c *taped) records(t *testing.T) (all []int) {
	t.Helper()
	for b := c.tape.Bytes(); len(b) > 0; {
		n := recordHeader + int(b[3])<<8 + int(b[4])
		if n > len(b) {
			t.Fatalf("a record is cut after %d bytes", len(b))
		}
		all, b = append(all, n-recordHeader), b[n:]
	}
	return all
}

// Whatever ends a connection, the client is told by TLS that this was the end, and not by TCP alone.
func TestCloseNotify(t *testing.T) {
	for name, end := range map[string]func(w *world, c *testClient){
		"QUIT":       func(w *world, c *testClient) { c.talk("> QUIT\nBYE") },
		"half-close": func(w *world, c *testClient) { c.halfClose() },
		"FIN":        func(w *world, c *testClient) { c.conn.(*tls.Conn).NetConn().(*taped).Conn.(*net.TCPConn).CloseWrite() },
		"shutdown": func(w *world, c *testClient) {
			go w.server.Shutdown(context.Background())
			c.talk("!SHUTTING_DOWN")
		},
		"idle": func(w *world, c *testClient) {
			cfg := *w.server.config.Load()
			cfg.IdleTimeout = time.Millisecond
			w.server.SetConfig(cfg)
			c.talk("> PING\nPONG\n!IDLE_TIMEOUT")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := startTLS(t, Config{})
			raw := w.plain()
			tape := &taped{Conn: raw}
			c := newClient(t, tls.Client(tape, w.secure))
			c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
			end(w, c)
			c.expectEnd()
			raw.Close()
			records := tape.records(t)
			if last := records[len(records)-1]; last != alertBytes {
				t.Errorf("the last record has %d bytes, which is no alert", last)
			}
		})
	}
}

// plain connects without encryption.
func (w *world) plain() net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(testPatience))
	return conn
}

// A FIN in the middle of a record, or behind one that ends in the middle of a line, is the end of what came before.
func TestCutConnection(t *testing.T) {
	for cut, want := range map[int]string{0: "1", 10: "1", 27: "1", 1000: "2"} {
		w := startTLS(t, Config{})
		c, h := w.dialHalves()
		c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		c.send("SET a 1\nSET b 1")
		h.hold = func(p []byte) int { return min(cut, len(p)) }
		c.send("2\nSET a 2\nSET c hal")
		h.Conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, h.Conn)
		h.Conn.Close()
		b := map[string]string{"1": "NOT_FOUND", "2": "12"}[want]
		newClient(t, tls.Client(w.plain(), w.secure)).talk("LOGIN or SIGNUP\n> LOGIN u x\nLogin successful\n> GET a\n" + want + "\n> GET b\n" + b + "\n> GET c\nNOT_FOUND")
	}
}

// A client that takes nothing holds up nobody who ends its connection, although TLS has something to say at the end.
func TestClosingWaitsForNobody(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, owner *testClient){
		"Close":      func(w *world, _ *testClient) { w.server.Close() },
		"PASSWD":     func(w *world, owner *testClient) { owner.talk("> PASSWD pw-u x\nOK") },
		"disconnect": func(w *world, _ *testClient) { w.server.SetConfig(Config{MaxOutput: 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := startTLS(t, Config{})
			owner := w.user("u")
			owner.talk("> SET k " + strings.Repeat("v", 500_000) + "\nOK")
			stuck := w.user("u")
			stuck.send(strings.Repeat("GET k\n", 100))
			until(t, "it waits for its client", func() bool { return w.stuck() == 1 })
			begin := time.Now()
			end(w, owner)
			owner.conn.Close()
			until(t, "all sessions have ended", func() bool { return w.server.Stats().Connections == 0 })
			if d := time.Since(begin); d >= 5*time.Second { // which is how long crypto/tls would wait
				t.Errorf("it took %v", d)
			}
		})
	}
}

// Who does not speak TLS is told so, and ends.
func TestPlainTextOnATLSPort(t *testing.T) {
	w := startTLS(t, Config{})
	for _, text := range []string{"LOGIN u x\nSET k v\n", "GET / HTTP/1.1\r\n\r\n", "\x00\x01\x02\x03\x04\x05", strings.Repeat("x", 100_000)} {
		conn := w.plain()
		go io.WriteString(conn, text)
		got, _ := io.ReadAll(conn) // the end may be a reset
		if want := "ERR SYNTAX this port speaks TLS"; !strings.HasPrefix(string(got), want) {
			t.Errorf("%.10q is answered %q", text, got)
		}
		conn.Close()
	}
	for _, text := range []string{"", "SET", "\x16\x03\x01\x00\x05hello", "\x16\x03\x01\xff\xff", "\x15\x03\x03\x00\x02\x01\x00"} {
		conn := w.plain()
		io.WriteString(conn, text)
		conn.(*net.TCPConn).CloseWrite()
		if got, _ := io.ReadAll(conn); strings.Contains(string(got), "ERR") {
			t.Errorf("%.10q is answered %q", text, got)
		}
		conn.Close()
	}
	until(t, "all have ended", func() bool { return w.server.Stats().Connections == 0 })
	w.user("u").talk("> PING\nPONG")
}

// And who speaks TLS to a plain port is told nothing that could be a server's TLS.
func TestTLSOnAPlainPort(t *testing.T) {
	w := start(t, Config{})
	conn := tls.Client(w.plain(), newAuthority(t).clientConfig("cider-1"))
	defer conn.Close()
	var header tls.RecordHeaderError
	if err := conn.Handshake(); !errors.As(err, &header) {
		t.Errorf("the handshake ends with %v", err)
	}
}

// A client's certificate is demanded if the configuration says so, and must be of the right authority.
func TestClientCertificates(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	a, b := newAuthority(t), strangeAuthority(t)
	config := a.serverConfig("cider-1")
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, a.roots
	w.serve(func(l net.Listener) error { return w.server.ServeTLS(l, func() *tls.Config { return config }) })
	for name, tc := range map[string]struct {
		certificates []tls.Certificate
		ok           bool
	}{
		"none":    {nil, false},
		"foreign": {[]tls.Certificate{b.pair("client")}, false},
		"right":   {[]tls.Certificate{a.pair("client")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.secure = a.clientConfig("cider-1")
			w.secure.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if len(tc.certificates) == 0 {
					return &tls.Certificate{}, nil
				}
				return &tc.certificates[0], nil
			}
			c := w.dial()
			if tc.ok {
				c.talk("LOGIN or SIGNUP\n> PING\nPONG")
				return
			}
			var refused *net.OpError
			if line, err := c.r.ReadString('\n'); !errors.As(err, &refused) || refused.Op != "remote error" {
				t.Errorf("got %q, %v", line, err)
			}
		})
	}
}

// Another certificate is used from the next handshake on, and no connection notices; without one there is no service.
func TestCertificatesAreReplaced(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	a := newAuthority(t)
	configs := make(chan *tls.Config, 3)
	w.serve(func(l net.Listener) error { return w.server.ServeTLS(l, func() *tls.Config { return <-configs }) })
	configs <- a.serverConfig("old")
	w.secure = a.clientConfig("old")
	before := w.user("u")
	configs <- a.serverConfig("new")
	w.secure = a.clientConfig("new")
	w.user("u").talk("> PING\nPONG")
	before.talk("> PING\nPONG")
	configs <- nil
	if err := w.dial().conn.(*tls.Conn).Handshake(); err == nil {
		t.Error("a handshake without a certificate")
	}
}

// One server serves both kinds of ports, with one limit.
func TestBothPorts(t *testing.T) {
	w := startTLS(t, Config{MaxPerAddress: 2})
	encrypted := *w
	w.secure = nil
	w.serve(w.server.Serve)
	plain := w.user("u")
	other := encrypted.user("u")
	plain.talk("> SET k v\nOK")
	other.talk("> GET k\nv")
	w.dial().talk("!TOO_MANY_CONNECTIONS\n.")
	encrypted.dial().talk("!TOO_MANY_CONNECTIONS\n.")
	plain.talk("> PASSWD pw-u x\nOK")
	other.talk("!SESSION_ENDED\n.")
}

// A session is resumed.
func TestResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		w := startTLS(t, Config{})
		w.secure.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		w.secure.MaxVersion = version
		for _, resumed := range []bool{false, true} {
			c := w.user("u")
			if got := c.conn.(*tls.Conn).ConnectionState().DidResume; got != resumed {
				t.Errorf("version %x: resumed %v", version, got)
			}
		}
	}
}

// TLS 1.1 is too old.
func TestOldVersion(t *testing.T) {
	w := startTLS(t, Config{})
	w.secure.MinVersion, w.secure.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	if err := w.dial().conn.(*tls.Conn).Handshake(); err == nil {
		t.Error("a handshake of TLS 1.1")
	}
}

// What a reset leaves unread is looked at without being decrypted: an alert is no line.
func TestResetBehindAnAlert(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		w, h := startBusy(t, startTLS)
		w.secure.MaxVersion = version
		c := sendAndWait(w, h, "LOGIN u x\n")
		c.halfClose()
		c.reset()
		until(t, "the session has ended", func() bool { return w.server.Stats().Connections == 0 })
		if h.passed.Load() != 0 {
			t.Error("it had its turn")
		}
	}
}

// Lines that TLS has decrypted and the session has not seen are as much what came before a reset as those in the kernel.
func TestResetSparesWhatIsDecrypted(t *testing.T) {
	w, h := startBusy(t, startTLS)
	before := len(w.node.Sizes())
	const login = "LOGIN u x\n"
	c := sendAndWait(w, h, strings.Repeat("\n", 736-len(login))+login+"SET k v\n") // the Reader's small buffer ends with the login
	c.reset()
	time.Sleep(50 * time.Millisecond) // see TestResetSparesWhatCameBefore
	close(h.release)
	until(t, "the session has ended", func() bool { return w.server.Stats().Connections == 0 })
	if got := len(w.node.Sizes()) - before; got != 1 {
		t.Errorf("%d commands were done", got)
	}
}

// What TLS holds for a client that takes nothing counts, too.
func TestUnreadCountsRecords(t *testing.T) {
	held := map[string]int64{}
	for name, start := range map[string]starter{"plain": start, "tls": startTLS} {
		w := start(t, Config{})
		w.user("u").talk("> SET large \"" + quoted + "\"\nOK")
		greedy(t, w, "u", 1, 4)
		held[name] = w.server.Stats().Unread
	}
	if more := held["tls"] - held["plain"]; more < maxRecord {
		t.Errorf("with TLS %d bytes more are counted", more)
	}
}

func TestIsAlert(t *testing.T) {
	record := func(kind byte, n int) string { return string([]byte{kind, 3, 3, 0, byte(n)}) + strings.Repeat("x", n) }
	for received, want := range map[string]bool{
		"":                              false,
		"\x15\x03\x03\x00":              false,
		record(recordAlert, 26):         true,
		record(recordAlert, 2):          true,
		record(recordData, 19):          true,
		record(recordData, 20):          false,
		record(recordData, 19)[:20]:     false,
		record(recordData, 19) + "x":    false,
		record(recordAlert, 2) + "\x17": false,
	} {
		if got := isAlert([]byte(received)); got != want {
			t.Errorf("isAlert(%q) = %v", received, got)
		}
	}
}

// crypto/tls goes on after an error only if that is temporary.
func TestTimeoutsAreTemporary(t *testing.T) {
	// What a poll returns when nothing has come must not be kept by crypto/tls as the connection's end.
	var err error = os.ErrDeadlineExceeded
	temporary, ok := err.(interface{ Temporary() bool })
	if !ok || !temporary.Temporary() {
		t.Error("crypto/tls would take a poll for the end of the connection")
	}
}
