//go:build e2e

package e2e

import (
	"bufio"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"ciderd/test/harness"
)

// mishap is what becomes of the first INCR that comes by.
type mishap struct {
	name string
	// done: it reaches the node all the same. reply is what the client is told; empty: nothing, and the connection ends at
	// once, or (holds) when the client ends it.
	done, holds bool
	reply       string
}

var mishaps = []mishap{
	{name: "cut", done: true},
	{name: "silent", done: true, holds: true},
	{name: "LOADING", reply: "-LOADING this node is catching up; nothing was done; try another node, or try again soon\r\n"},
	{name: "TRYAGAIN", reply: "-TRYAGAIN no leader could be reached in time; nothing was written; it is safe to send this again\r\n"},
	{name: "TIMEOUT", done: true, reply: "-TIMEOUT the outcome is not known\r\n"},
	{name: "OOM", reply: "-OOM command not allowed when used memory > 'maxmemory'.\r\n"},
}

// sendsAgain is after which mishaps a library sends an INCR again, by itself and with its own settings, but for a timeout
// where it has none. docs/redis.md says the same.
var sendsAgain = map[string][]string{
	"redis-py": nil,
	"go-redis": {"cut", "silent", "LOADING", "TRYAGAIN"},
	"ioredis":  {"cut"},
	"phpredis": nil,
}

// TestWhoSendsAgain has each library send one INCR that has a mishap. What a library sends again counts twice if it was done
// the first time; in CIDERD.ONCE it counts once.
func TestWhoSendsAgain(t *testing.T) {
	n := harness.Start(t, harness.Options{Redis: true, Config: "auth { bcrypt_cost = 4 }\n"}).Nodes[0]
	dir := t.TempDir()
	for _, client := range countingClients {
		if !client.usable(t, dir) {
			continue
		}
		for _, m := range mishaps {
			again := slices.Contains(sendsAgain[client.name], m.name)
			t.Run(client.name+" "+m.name, func(t *testing.T) { sendOne(t, client, dir, n, m, "once", again) })
			if again {
				t.Run(client.name+" "+m.name+", with an id", func(t *testing.T) { sendOne(t, client, dir, n, m, "id", again) })
			}
		}
	}
}

// sendOne runs the program against a node to which the way has a mishap.
func sendOne(t *testing.T, client redisClient, dir string, n *harness.Node, m mishap, mode string, again bool) {
	t.Parallel()
	user := redisUser(t, n)
	p := startMishap(t, n, m)
	out, err := client.command(t, dir, p.address, user, "", mode).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "ok\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	sent, counted := int64(1), int64(0)
	if m.done {
		counted++
	}
	if again {
		sent++
		if !m.done || mode != "id" {
			counted++
		}
	}
	if got := p.sent.Load(); got != sent {
		t.Errorf("it was sent %d times, want %d: %s", got, sent, out)
	}
	c := dialRESP(t, "tcp", n.Redis)
	c.do("AUTH", user, harness.Password)
	want := "$" + strconv.Itoa(len(strconv.FormatInt(counted, 10))) + "\r\n" + strconv.FormatInt(counted, 10) + "\r\n"
	if counted == 0 {
		want = "$-1\r\n"
	}
	if got := c.do("GET", "n"); got != want {
		t.Errorf("the counter is %q, want %q: %s", got, want, out)
	}
	if replied := strings.HasPrefix(string(out), "reply "); replied != again {
		t.Errorf("the program was told %s", out)
	}
}

// mishapProxy stands between a client and a node, and looks at each request.
type mishapProxy struct {
	address string
	node    string
	m       mishap
	sent    atomic.Int64 // how many INCRs have come
}

func startMishap(t *testing.T, n *harness.Node, m mishap) *mishapProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &mishapProxy{address: l.Addr().String(), node: n.Redis, m: m}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

// counts matches a request that counts, as libraries send it.
var counts = regexp.MustCompile(`(?i)\r\nincr(by)?\r\n`)

// serve passes on one request after the other, and the reply to each.
func (p *mishapProxy) serve(client net.Conn) {
	defer client.Close()
	node, err := net.Dial("tcp", p.node)
	if err != nil {
		return
	}
	defer node.Close()
	requests, replies := bufio.NewReader(client), bufio.NewReader(node)
	for {
		request, err := readRESP(requests)
		if err != nil {
			return
		}
		first := counts.MatchString(request) && p.sent.Add(1) == 1
		reply := p.m.reply
		if !first || p.m.done {
			if _, err := io.WriteString(node, request); err != nil {
				return
			}
			got, err := readRESP(replies)
			if err != nil {
				return
			}
			if !first {
				reply = got
			}
		}
		switch {
		case reply == "" && p.m.holds:
			_, _ = io.Copy(io.Discard, requests) // until the client has had enough
			return
		case reply == "":
			return
		}
		if _, err := io.WriteString(client, reply); err != nil {
			return
		}
	}
}
