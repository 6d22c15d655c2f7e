//go:build e2e

package measure

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

// TestMeasureClients tells, with MEASURE=1, what a connection costs the daemon: resident memory, in KiB.
func TestMeasureClients(t *testing.T) {
	n := measured(t)
	user := "memory-" + harness.Unique()
	c := harness.LoginAs(t, n, user)
	if _, err := c.Do("SET v " + strings.Repeat("v", 1000)); err != nil {
		t.Fatal(err)
	}
	const many, full = 2000, 200
	base := resident(t, n)
	idle := dialMany(t, n, many)
	t.Logf("idle before login: %.1f KiB", perConn(resident(t, n)-base, many))
	for _, c := range idle {
		if err := c.Login(user, harness.Password); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do("GET v"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("idle after a login and a GET: %.1f KiB", perConn(resident(t, n)-base, many))
	base = resident(t, n)
	for _, c := range idle[:full] {
		if err := c.Send(bytes.Repeat([]byte("GET v\n"), 20_000)); err != nil {
			t.Logf("sending: %v", err) // the node reads no more, and our side is full
		}
	}
	t.Logf("20,000 GETs of 1,000 bytes, nothing read: %.0f KiB", perConn(resident(t, n)-base, full))
}

// TestMeasureNeighbours tells, with MEASURE=1, how long a GET of one client takes while others misbehave.
func TestMeasureNeighbours(t *testing.T) {
	n := measured(t)
	user := "neighbour-" + harness.Unique()
	c := harness.LoginAs(t, n, user)
	if _, err := c.Do("SET v 1"); err != nil {
		t.Fatal(err)
	}
	tell := func(what string) { t.Logf("GET, one at a time, %s: %s", what, getTimes(t, c)) }
	tell("alone")
	stop := beside(500, func(i int, stopped *atomic.Bool) {
		for !stopped.Load() {
			g, err := n.Dial()
			if err != nil {
				continue
			}
			_, _ = g.Do("LOGIN " + user + " wrong" + strconv.Itoa(i))
			g.Close()
		}
	})
	tell("500 others guess the password")
	stop()
	stop = beside(1, func(_ int, stopped *atomic.Bool) {
		f, err := n.Dial()
		if err != nil || f.Login(user, harness.Password) != nil {
			return
		}
		defer f.Close()
		go func() {
			for !stopped.Load() {
				if f.Send(bytes.Repeat([]byte("GET v\n"), 1000)) != nil {
					return
				}
			}
		}()
		for buf := make([]byte, 1<<16); !stopped.Load(); {
			if _, err := f.Read(buf); err != nil {
				return
			}
		}
	})
	tell("one other sends GETs without a pause")
	stop()
	greedy := "greedy-" + harness.Unique()
	if _, err := harness.LoginAs(t, n, greedy).Do("SET v 1"); err != nil {
		t.Fatal(err)
	}
	for _, conns := range []int{10, 100} {
		stop, served := flood(n, greedy, conns)
		began, before := time.Now(), served.Load()
		tell(fmt.Sprintf("another user's %d connections ask for %d keys at a time", conns, floodKeys))
		t.Logf("meanwhile that user was answered %.0f times a second", float64(served.Load()-before)/time.Since(began).Seconds())
		stop()
	}
}

// floodKeys is how many keys an MGET of a flood has: it costs the node much, and whoever reads the reply little.
const floodKeys = 8000

// flood has a user's connections ask without a pause. served counts the replies.
func flood(n *harness.Node, user string, conns int) (stop func(), served *atomic.Int64) {
	served = &atomic.Int64{}
	ask := []byte("MGET" + strings.Repeat(" v", floodKeys) + "\n")
	reply := floodKeys*len("1\n") + len("END\n")
	return beside(conns, func(_ int, stopped *atomic.Bool) {
		f, err := n.Dial()
		if err != nil || f.Login(user, harness.Password) != nil {
			return
		}
		defer f.Close()
		for buf := make([]byte, 1<<16); !stopped.Load(); served.Add(1) {
			if f.Send(ask) != nil {
				return
			}
			for left := reply; left > 0; {
				got, err := f.Read(buf)
				if err != nil {
					return
				}
				left -= got
			}
		}
	}), served
}

func measured(t *testing.T) *harness.Node {
	t.Helper()
	if os.Getenv("MEASURE") != "1" {
		t.Skip("a measurement, not a test: set MEASURE=1")
	}
	return harness.Start(t, harness.Options{}).Nodes[0]
}

// beside runs f in many goroutines until the func it returns is called.
func beside(many int, f func(i int, stopped *atomic.Bool)) (stop func()) {
	var stopped atomic.Bool
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() { f(i, &stopped) })
	}
	time.Sleep(3 * time.Second) // until they are at it
	return func() {
		stopped.Store(true)
		wg.Wait()
	}
}

func getTimes(t *testing.T, c *harness.Client) string {
	t.Helper()
	var took []time.Duration
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		start := time.Now()
		if _, err := c.Do("GET v"); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))] }
	return fmt.Sprintf("p50 %v, p99 %v, longest %v, of %d", at(.5), at(.99), at(1), len(took))
}

func dialMany(t *testing.T, n *harness.Node, many int) (all []*harness.Client) {
	t.Helper()
	for range many {
		c, err := n.Dial()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		all = append(all, c)
	}
	return all
}

func perConn(bytes, conns int) float64 { return float64(bytes) / float64(conns) / 1024 }

// resident is what the daemon holds, once it has come to rest, in bytes.
func resident(t *testing.T, n *harness.Node) int {
	t.Helper()
	debug.FreeOSMemory() // ours, so that the machine is quiet
	time.Sleep(3 * time.Second)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib * 1024
}
