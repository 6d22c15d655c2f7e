//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"ciderd/test/harness"
)

// countingClients are programs of redisclients that count: argument count until their input ends, once a single time, id in
// CIDERD.ONCE.
var countingClients = []redisClient{
	{name: "redis-py", args: []string{"/usr/bin/python3", "count.py"}},
	{name: "go-redis", args: []string{"DIR/goclients"}},
	{name: "ioredis", args: []string{"node", "node/count.mjs"}},
	{name: "phpredis", args: []string{"php", "count.php"}},
}

// usable builds what the program takes, and reports whether its library is there: see redisClients.
func (c *redisClient) usable(t *testing.T, dir string) bool {
	t.Helper()
	for _, full := range redisClients {
		if full.name != c.name {
			continue
		}
		if out, err := exec.CommandContext(t.Context(), full.needs[0], full.needs[1:]...).CombinedOutput(); err != nil {
			t.Logf("LEFT OUT: %q: %v: %s", full.needs, err, out)
			return false
		}
		if full.build != nil {
			full.build(t, dir)
		}
	}
	return true
}

// command is the program, with one argument, not started.
func (c *redisClient) command(t *testing.T, dir, address, user, prefix, mode string) *exec.Cmd {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{}, c.args...)
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "DIR", dir)
	}
	cmd := exec.CommandContext(t.Context(), args[0], append(args[1:], mode)...)
	cmd.Dir = "redisclients"
	cmd.Env = append(os.Environ(), "REDIS_HOST="+host, "REDIS_PORT="+port, "REDIS_USER="+user, "REDIS_PASSWORD="+harness.Password,
		"PREFIX="+prefix, "SHARED="+sharedKey)
	return cmd
}

// counting is a program that counts, one INCR of its own counter and one of the shared after the other.
type counting struct {
	name, prefix string
	cmd          *exec.Cmd
	stop         io.Closer // its input
	own          atomic.Int64
	last         atomic.Value // what it printed last, a string
	errs         bytes.Buffer // read once it has ended
	ended        chan error
}

func startCounting(t *testing.T, c redisClient, dir string, n *harness.Node, user string) *counting {
	t.Helper()
	p := &counting{name: c.name + " on " + n.Name, prefix: c.name + ":" + n.Name + ":", ended: make(chan error, 1)}
	p.cmd = c.command(t, dir, n.Redis, user, p.prefix, "count")
	p.cmd.Stderr = &p.errs
	stop, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stop = stop
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			p.last.Store(s.Text())
			if n, err := strconv.ParseInt(s.Text(), 10, 64); err == nil {
				p.own.Store(n)
			}
		}
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() { _ = stop.Close() })
	return p
}

// goOn waits until each program has counted n more. One that has ended instead says why.
func goOn(t *testing.T, programs []*counting, n int64) {
	t.Helper()
	targets := make([]int64, len(programs))
	for i, p := range programs {
		targets[i] = p.own.Load() + n
	}
	for i, p := range programs {
		harness.Eventually(t, p.name+" goes on", func() error {
			select {
			case err := <-p.ended:
				t.Fatalf("%s ended: %v\n%s", p.name, err, p.errs.Bytes())
			default:
			}
			if own := p.own.Load(); own < targets[i] {
				return fmt.Errorf("%d of %d", own, targets[i])
			}
			return nil
		})
	}
}

// finish ends the program, and returns how often it has counted.
func (p *counting) finish(t *testing.T) int64 {
	t.Helper()
	if err := p.stop.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := <-p.ended; err != nil || p.last.Load() != "ok" {
		t.Errorf("%s: %v, after %v\n%s", p.name, err, p.last.Load(), p.errs.Bytes())
	}
	return p.own.Load()
}

// TestLeaderDiesUnderRedisClients kills the leader with SIGKILL, twice, while programs of several client libraries count on
// the other nodes. They see no error, and no INCR is lost or done twice.
func TestLeaderDiesUnderRedisClients(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Redis: true, Config: patient + "\nauth { bcrypt_cost = 4 }\n"})
	dir := t.TempDir()
	leader := c.Leader()
	others := c.Followers(leader)
	user := redisUser(t, leader)
	var programs []*counting
	for _, client := range countingClients {
		if !client.usable(t, dir) {
			continue
		}
		for _, n := range others {
			harness.MakeUser(t, n, user)
			programs = append(programs, startCounting(t, client, dir, n, user))
		}
	}
	goOn(t, programs, 100)
	for range 2 {
		leader.Kill()
		goOn(t, programs, 300)
		harness.Restart(t, c, []*harness.Node{leader})
		goOn(t, programs, 100)
		handOver(t, c, leader)
		goOn(t, programs, 100)
	}
	counted(t, leader, user, programs)
}

// handOver makes a node the leader.
func handOver(t *testing.T, c *harness.Cluster, to *harness.Node) {
	t.Helper()
	harness.Eventually(t, to.Name+" leads", func() error {
		if s := command(t, c, to, "", "transfer", to.Name); s.code != 0 {
			return fmt.Errorf("exit code %d: %s", s.code, s.err)
		}
		return nil
	})
}

// counted ends all programs, and wants the counters to be what they were told.
func counted(t *testing.T, n *harness.Node, user string, programs []*counting) {
	t.Helper()
	conn := harness.LoginAs(t, n, user)
	sum := int64(0)
	ends := map[string]int64{}
	for _, p := range programs {
		ends[p.prefix+"own"] = p.finish(t)
		sum += p.own.Load()
		t.Logf("%s: %d", p.name, p.own.Load())
	}
	mustDo(t, conn, "SYNC", "OK")
	mustDo(t, conn, "GET "+sharedKey, strconv.FormatInt(sum, 10))
	for key, n := range ends {
		mustDo(t, conn, "GET "+key, strconv.FormatInt(n, 10))
	}
}
