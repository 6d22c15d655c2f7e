package server

import (
	"bytes"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ciderd/internal/protocol"
)

var allCodes = []protocol.Code{
	protocol.UnknownCommand, protocol.Syntax, protocol.Args, protocol.AuthRequired, protocol.AlreadyLoggedIn,
	protocol.AuthFailed, protocol.UserExists, protocol.BadUsername, protocol.BadPassword, protocol.SignupClosed,
	protocol.KeyTooLong, protocol.ValueTooLarge, protocol.LineTooLong, protocol.NotANumber, protocol.Overflow,
	protocol.MemoryFull, protocol.Quota, protocol.Busy, protocol.TooManyConnections, protocol.Loading,
	protocol.NoLeader, protocol.Timeout, protocol.ShuttingDown, protocol.IdleTimeout, protocol.LoginTimeout,
	protocol.SessionEnded, protocol.Internal,
}

// Whatever a client sends, the session answers in well-formed lines and ends by itself.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "PING\n", "GET a\n", "SET a 1\nGET a\nQUIT\nGET a\n",
		"MSET a 1 b \"x y\"\nMGET a b c\nKEYS * LIMIT 1\nCOUNT\nFLUSH ALL\n",
		"LOGOUT\nLOGIN\nu\nx\nSIGNUP v y\nPASSWD\ny\nz\nUNREGISTER z\nGET k\n",
		"SET k \"a\\xff\\n\"\nGET k\nGETV k\nAPPEND k b\nINCR k\nCAS k 1 z\nTTL k\nEXPIRE k 5\nPERSIST k\n",
		"\xff\xfd\x06\xff\xf4SET a\x03PING\r\n\x04\n", "ONCE i INCR n\nONCE i INCR n\nSTATS\nSTATUS\nWHOAMI\nHELP\nVERSION\nSYNC\n",
		strings.Repeat("x", 70_000) + "\nPING\n", "LOGOUT\n" + strings.Repeat("SIGNUP / b\n", 5) + "PING\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		s, _ := newTestServer(t, Config{MaxValue: 1000})
		defer s.Close()
		ours, theirs := net.Pipe()
		s.admit(theirs, port{})
		ours.SetDeadline(time.Now().Add(testPatience))
		go func() {
			io.WriteString(ours, "SIGNUP u x\n")
			ours.Write(input)
			io.WriteString(ours, "\nQUIT\nQUIT\nQUIT\nQUIT\n") // prompts may swallow some of them
		}()
		output, err := io.ReadAll(ours)
		ours.Close()
		if err != nil && !os.IsTimeout(err) {
			t.Fatalf("reading: %v", err)
		}
		if os.IsTimeout(err) {
			t.Fatalf("the session did not end; it has said %.200q", output)
		}
		checkOutput(t, output)
	})
}

var (
	prompts   = regexp.MustCompile("^((Enter username: )?Enter password: |Enter username: |Enter old password: (Enter new password: )?)")
	errorLine = regexp.MustCompile("^ERR ([A-Z_]+) [^\x00-\x1f\x7f]+$")
)

func checkOutput(t *testing.T, output []byte) {
	t.Helper()
	output = withoutTelnet(output)
	if !bytes.HasPrefix(output, []byte("LOGIN or SIGNUP\nUser created successfully\n")) {
		t.Fatalf("the session began with %.100q", output)
	}
	if bytes.IndexByte(output, 0xff) >= 0 {
		t.Fatalf("0xFF in %q", output)
	}
	for line := range strings.Lines(string(output)) {
		line = strings.TrimSuffix(prompts.ReplaceAllString(line, ""), "\n")
		if line == "" || strings.ContainsAny(line, "\n\r\x00") {
			t.Errorf("a line %q", line)
		}
		if !strings.HasPrefix(line, "ERR") {
			continue
		}
		if m := errorLine.FindStringSubmatch(line); m == nil || !slices.Contains(allCodes, protocol.Code(m[1])) || m[1] == "INTERNAL" {
			t.Errorf("an error %q", line)
		}
	}
}

// withoutTelnet takes the answers to telnet sequences out, byte by byte: they are no UTF-8.
func withoutTelnet(b []byte) []byte {
	out := b[:0:0]
	for i := 0; i < len(b); i++ {
		if b[i] == 0xff && i+2 < len(b) && (b[i+1] == 0xfc || b[i+1] == 0xfe) {
			i += 2
			continue
		}
		out = append(out, b[i])
	}
	return out
}

// An allocation budget: a GET costs none, a SET in a burst none either, but for its group's.
func TestAllocations(t *testing.T) {
	s, _ := newTestServer(t, Config{})
	defer s.Close()
	ours, theirs := net.Pipe()
	s.admit(theirs, port{})
	c := newClient(t, ours)
	c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully\n> SET k 12345678\nOK")
	const burst = 500
	request := []byte(strings.Repeat("GET k\n", burst))
	reply := make([]byte, len("12345678\n")*burst)
	sent := make(chan struct{})
	defer close(sent)
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
	// net.Pipe's deadlines allocate, at some Reads and Writes; a garbage collection empties the pools.
	if allocs > burst/10 {
		t.Errorf("%v allocations for %d GETs", allocs, burst)
	}
}
