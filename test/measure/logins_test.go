//go:build e2e

package measure

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

// TestMeasureLogins tells, with MEASURE=1, how long the logins of an application take on a node that has
// not seen its users: 10,000 connections of one user at once, and 2,000 logins of five users on 100.
// It needs 10,000 and some files: ulimit -n.
func TestMeasureLogins(t *testing.T) {
	const pool, conns, times, users = 10_000, 100, 20, 5
	c, n := manyConnections(t)
	names := make([]string, users)
	for i := range names {
		names[i] = fmt.Sprintf("app%d-%s", i, harness.Unique())
		if err := harness.SignupOn(n, names[i], harness.Password); err != nil {
			t.Fatal(err)
		}
	}
	again := func() {
		n.Stop(harness.Limit)
		n.Start()
		c.WaitReady()
	}
	for _, addresses := range []int{1, 100} {
		again()
		clients := dialPool(t, n, pool, func(i int) net.IP { return net.IPv4(127, 7, byte(i%addresses), 1) })
		t.Logf("%d connections of one user from %d addresses: %s", pool, addresses, logInAll(clients, 1, func(_, _ int) string { return names[0] }))
		closeAll(clients)
	}
	again()
	clients := dialPool(t, n, conns, func(int) net.IP { return net.IPv4(127, 7, 0, 1) })
	t.Logf("%d logins of %d users on %d connections: %s", conns*times, users, conns,
		logInAll(clients, times, func(i, round int) string { return names[(i+round)%users] }))
	closeAll(clients)
}

// TestMeasureSignupAmongGuessers tells, with MEASURE=1, how long newcomers' SIGNUPs take while 1,300
// addresses of six networks guess without a pause.
func TestMeasureSignupAmongGuessers(t *testing.T) {
	const guessers, nets, newcomers = 1300, 6, 10
	_, n := manyConnections(t)
	from := func(i int) net.IP { return net.IPv4(127, 8, byte(i%nets), byte(1+i/nets)) }
	stop := beside(guessers, func(i int, stopped *atomic.Bool) {
		for try := 0; !stopped.Load(); try++ {
			conn, err := harness.ConnectFrom(from(i), n.Text)
			if err != nil {
				continue
			}
			g := &pooled{conn: conn}
			if _, err := g.line(); err == nil {
				_, _ = g.do(fmt.Sprintf("LOGIN victim%d wrong%d", i, try))
			}
			_ = conn.Close()
		}
	})
	defer stop()
	for i := range newcomers {
		start := time.Now()
		c := dialPool(t, n, 1, func(int) net.IP { return net.IPv4(127, 200, byte(i), 1) })
		answer, err := c[0].do("SIGNUP new" + strconv.Itoa(i) + "-" + harness.Unique() + " " + harness.Password)
		t.Logf("a SIGNUP: %v, %q, %v", time.Since(start).Round(time.Millisecond), answer, err)
		closeAll(c)
	}
}

// manyConnections is a cluster of one node that takes 20,000.
func manyConnections(t *testing.T) (*harness.Cluster, *harness.Node) {
	t.Helper()
	if os.Getenv("MEASURE") != "1" {
		t.Skip("a measurement, not a test: set MEASURE=1")
	}
	c := harness.Start(t, harness.Options{Config: "limits {\n  max_connections = 20000\n}"})
	return c, c.Nodes[0]
}

// dialPool opens many connections, from the address that from gives for each, and reads their banners.
func dialPool(t *testing.T, n *harness.Node, many int, from func(i int) net.IP) []*pooled {
	t.Helper()
	all := make([]*pooled, many)
	for i := range all {
		conn, err := harness.ConnectFrom(from(i), n.Text)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = &pooled{conn: conn}
	}
	for _, c := range all {
		if line, err := c.line(); err != nil || line != harness.Banner {
			t.Fatalf("%q, %v", line, err)
		}
	}
	return all
}

// pooled is a connection without a buffer of its own: there are many, and a reply is one line.
type pooled struct{ conn net.Conn }

func (p *pooled) line() (string, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(90 * time.Second))
	buf := make([]byte, 256)
	n, err := p.conn.Read(buf)
	if err != nil {
		return "", err
	}
	return string(buf[:max(0, n-1)]), nil
}

func (p *pooled) do(line string) (string, error) {
	if _, err := p.conn.Write([]byte(line + "\n")); err != nil {
		return "", err
	}
	return p.line()
}

func closeAll(all []*pooled) {
	for _, c := range all {
		_ = c.conn.Close()
	}
}

// logInAll has all connections log in at once, that many times each, and tells how it went.
func logInAll(all []*pooled, times int, user func(i, round int) string) string {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first, last time.Duration
	failures := map[string]int{}
	begin := make(chan struct{})
	var start time.Time
	for i, c := range all {
		wg.Go(func() {
			<-begin
			for round := range times {
				answer, err := c.do("LOGIN " + user(i, round) + " " + harness.Password)
				took := time.Since(start)
				mu.Lock()
				switch {
				case err != nil:
					failures[err.Error()]++
				case answer != "Login successful":
					failures[answer]++
				default:
					if first == 0 {
						first = took
					}
					last = max(last, took)
				}
				mu.Unlock()
				if round < times-1 {
					_, _ = c.do("LOGOUT")
				}
			}
		})
	}
	start = time.Now()
	close(begin)
	wg.Wait()
	total := 0
	for _, n := range failures {
		total += n
	}
	text := "first in after " + first.Round(time.Millisecond).String() + ", last after " + last.Round(time.Millisecond).String() +
		", " + strconv.Itoa(total) + " failures"
	if total > 0 {
		text += fmt.Sprint(": ", failures)
	}
	return text
}
