package server

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"testing/synctest"
)

// respTester is the other end of a session of Redis' protocol.
type respTester struct{ *testClient }

// talk plays a conversation: a line with "> " before it is sent, as an inline request; "~ " begins the start of a line
// that must come, "." stands for the end, and all else for a line that must come.
func (c respTester) talk(script string) {
	c.t.Helper()
	for step := range strings.Lines(strings.TrimSpace(script)) {
		step = strings.TrimLeft(strings.TrimSuffix(step, "\n"), "\t")
		switch {
		case strings.HasPrefix(step, "> "):
			c.send(step[2:] + "\r\n")
		case step == ".":
			c.expectEnd()
		case strings.HasPrefix(step, "~ "):
			if got := c.line(); !strings.HasPrefix(got, step[2:]) {
				c.t.Fatalf("got %q, want what begins with %q", got, step[2:])
			}
		default:
			c.expect(step + "\r")
		}
	}
}

// asks sends a request as programs do, with arguments of any bytes.
func (c respTester) asks(args ...string) {
	c.t.Helper()
	c.send(bulks(args...))
}

// bulks is a request of bulk strings.
func bulks(args ...string) string {
	var b strings.Builder
	b.WriteString("*" + itoa(len(args)) + "\r\n")
	for _, arg := range args {
		b.WriteString("$" + itoa(len(arg)) + "\r\n" + arg + "\r\n")
	}
	return b.String()
}

// respUser connects to w's port, which is one of Redis' protocol, and signs up or logs in as name.
func (w *world) respUser(name string) respTester {
	w.t.Helper()
	c := respTester{w.dial()}
	verb := "SIGNUP"
	if _, known := w.node.FSM().Lookup([]byte(name)); known {
		verb = "AUTH"
	}
	c.talk("> " + verb + " " + name + " pw-" + name + "\n+OK")
	return c
}

// startRESP is start with a port for clients of Redis.
func startRESP(t *testing.T, cfg Config) *world {
	t.Helper()
	w := newWorld(t, cfg, nil)
	w.serve(func(l net.Listener) error { return w.server.ServeRESP(l, nil) })
	return w
}

// startRESPWithTLS is startRESP with a port that encrypts.
func startRESPWithTLS(t *testing.T, cfg Config) *world {
	t.Helper()
	w := newWorld(t, cfg, nil)
	a := newAuthority(t)
	config := a.serverConfig("cider-1")
	w.serve(func(l net.Listener) error { return w.server.ServeRESP(l, func() *tls.Config { return config }) })
	w.secure = a.clientConfig("cider-1")
	return w
}

// onEachRESP runs a test on a plain port of Redis' protocol and on one that encrypts.
func onEachRESP(t *testing.T, test func(t *testing.T, start starter)) {
	t.Run("plain", func(t *testing.T) { test(t, startRESP) })
	t.Run("tls", func(t *testing.T) { test(t, startRESPWithTLS) })
}

// inRESPBubble is inBubble on ports of Redis' protocol.
func inRESPBubble(t *testing.T, cfg Config, test func(t *testing.T, s *Server, dial func() respTester)) {
	t.Helper()
	a := newAuthority(t)
	for name, p := range map[string]port{"plain": {resp: true}, "tls": {resp: true, tls: func() *tls.Config { return a.serverConfig("cider-1") }}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newTestServer(t, cfg)
				defer s.Close()
				test(t, s, func() respTester {
					ours, theirs := net.Pipe()
					s.admit(theirs, p)
					if p.tls != nil {
						ours = tls.Client(ours, a.clientConfig("cider-1"))
					}
					return respTester{newClient(t, ours)}
				})
			})
		})
	}
}
