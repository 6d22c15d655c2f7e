//go:build e2e

package test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/internal/harness"
)

// Whoever uses a node, however badly, costs others time and never the node.

// TestGreedyReaders: hundreds of connections ask for a large value that has to be quoted and read nothing. The
// node takes little memory for them, takes nothing of it for a disk that hangs, and goes on taking writes.
func TestGreedyReaders(t *testing.T) {
	n := harness.Start(t, harness.Options{}).Nodes[0]
	user := "greedy-" + unique()
	owner := loginAs(t, n, user)
	mustDo(t, owner, `SET large "`+strings.Repeat(`\xff`, 512<<10)+`"`, "OK")
	for range 600 {
		c := loginAs(t, n, user)
		if err := c.Send([]byte("GET large\nGET large\n")); err != nil {
			t.Fatal(err)
		}
	}
	other := loginAs(t, n, "other-"+unique())
	for i := range 2000 {
		mustDo(t, other, "SET k "+strconv.Itoa(i), "OK")
	}
	if mib := anonymous(t, n) >> 20; mib > 300 {
		t.Errorf("the node takes %d MiB for 600 connections that read nothing", mib)
	}
}

// TestExpensiveWrites: some connections send, as fast as they can, writes of a few bytes that make every node look
// at or copy half a megabyte. Others' writes are done all the same, on every node.
func TestExpensiveWrites(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Leader()
	user := "dear-" + unique()
	mustDo(t, loginAs(t, n, user), "SET large "+strings.Repeat("v", 500<<10), "OK")
	for _, line := range []string{"INCR large", "EXPIRE large 1d", `APPEND large ""`, "PERSIST large"} {
		t.Run(line, func(t *testing.T) {
			stop := attack(t, n, user, line)
			defer stop()
			var wg sync.WaitGroup
			for _, other := range c.Nodes {
				client := loginAs(t, other, "other-"+unique())
				wg.Go(func() {
					for i := range 100 {
						if reply, err := client.Do("SET k " + strconv.Itoa(i)); err != nil || reply != "OK" {
							t.Errorf("a write of somebody else on %s: %q, %v", other.Name, reply, err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// attack has four connections send a line a thousand times at once, again and again, until stop.
func attack(t *testing.T, n *harness.Node, user, line string) (stop func()) {
	t.Helper()
	var stopped atomic.Bool
	var wg sync.WaitGroup
	lines := strings.Split(strings.Repeat(line+"\n", 1024), "\n")[:1024]
	var clients []*harness.Client
	for range 4 {
		c := loginAs(t, n, user)
		clients = append(clients, c)
		wg.Go(func() {
			for !stopped.Load() {
				if _, err := c.Pipeline(lines...); err != nil && harness.Code(err) == "" {
					return
				}
			}
		})
	}
	return func() {
		stopped.Store(true)
		for _, c := range clients {
			_ = c.Close() // it does not wait for the thousand that are on their way
		}
		wg.Wait()
	}
}

// anonymous is how many bytes of memory a node takes that are no file's.
func anonymous(t *testing.T, n *harness.Node) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "RssAnon:" {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			return kib << 10
		}
	}
	t.Fatal("no RssAnon")
	return 0
}

// TestExpensiveWritesOfAValueOnItsWay: one session stores a large value and removes it, again and again, and another
// sends thousands of EXPIREs that meet it as it comes: others' writes are done all the same.
func TestExpensiveWritesOfAValueOnItsWay(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Leader()
	user := "onway-" + unique()
	setter := loginAs(t, n, user)
	var stopped atomic.Bool
	var wg sync.WaitGroup
	large := "SET large " + strings.Repeat("v", 500<<10)
	wg.Go(func() {
		for !stopped.Load() {
			if _, err := setter.Pipeline("DELETE large", large); err != nil {
				return
			}
		}
	})
	stop := attack(t, n, user, "EXPIRE large 1d")
	defer func() { stopped.Store(true); stop(); wg.Wait() }()
	other := loginAs(t, n, "other-"+unique())
	var took []time.Duration
	for i := range 200 {
		begun := time.Now()
		mustDo(t, other, "SET k "+strconv.Itoa(i), "OK")
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("others' writes: median %v, longest %v", took[100], took[199])
}
