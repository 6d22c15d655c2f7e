//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

// Whoever uses a node, however badly, costs others time and never the node.

// TestGreedyReaders: hundreds of connections ask for a large value that has to be quoted and read nothing. The
// node takes little memory for them, takes nothing of it for a disk that hangs, and goes on taking writes.
func TestGreedyReaders(t *testing.T) {
	n := harness.Start(t, harness.Options{}).Nodes[0]
	user := "greedy-" + harness.Unique()
	owner := harness.LoginAs(t, n, user)
	mustDo(t, owner, `SET large "`+strings.Repeat(`\xff`, 512<<10)+`"`, "OK")
	for range 600 {
		c := harness.LoginAs(t, n, user)
		if err := c.Send([]byte("GET large\nGET large\n")); err != nil {
			t.Fatal(err)
		}
	}
	other := harness.LoginAs(t, n, "other-"+harness.Unique())
	for i := range 2000 {
		mustDo(t, other, "SET k "+strconv.Itoa(i), "OK")
	}
	if mib := anonymous(t, n) >> 20; mib > 300 {
		t.Errorf("the node takes %d MiB for 600 connections that read nothing", mib)
	}
}

// TestUnreadReplies: hundreds of connections ask for all kinds of long replies and read nothing. What the node takes for
// them stays about what limits.max_output says; those that hold most are closed, and no other user's; and those that are
// left are closed once they have taken nothing for limits.stall.
func TestUnreadReplies(t *testing.T) {
	n := harness.Start(t, harness.Options{Config: "limits {\n  stall = \"15s\"\n}"}).Nodes[0]
	user := "unread-" + harness.Unique()
	owner := harness.LoginAs(t, n, user)
	mustDo(t, owner, `SET large "`+strings.Repeat(`\xff`, 512<<10)+`"`, "OK")
	mustDo(t, owner, "SET k "+strings.Repeat("v", 600), "OK")
	var lines []string
	for i := range 50_000 {
		lines = append(lines, fmt.Sprintf("SET %06d v", i))
	}
	if _, err := owner.Pipeline(lines...); err != nil {
		t.Fatal(err)
	}
	other := harness.LoginAs(t, n, "other-"+harness.Unique())
	mustDo(t, other, "SET large "+strings.Repeat("v", 500<<10), "OK")
	slow := harness.LoginAs(t, n, "slow-"+harness.Unique()) // it waits too, and holds little
	mustDo(t, slow, "SET large "+strings.Repeat("v", 500<<10), "OK")
	if err := slow.Send([]byte(strings.Repeat("GET large\n", 50))); err != nil {
		t.Fatal(err)
	}
	sessions := func() int {
		facts, err := other.Status()
		if err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.Atoi(facts["sessions"])
		return n
	}
	open, before := sessions(), anonymous(t, n)
	many := "MGET" + strings.Repeat(" k", 16<<10) + "\n"
	asks := []string{strings.Repeat("GET large\n", 4), strings.Repeat("KEYS LIMIT 1000000\n", 12), many, many, many, many, many, many}
	begun := time.Now()
	const connections = 800
	for i := range connections {
		if err := harness.LoginAs(t, n, user).Send([]byte(asks[i%len(asks)])); err != nil {
			t.Fatal(err)
		}
	}
	most := int64(0)
	for i := range 1000 {
		mustDo(t, other, "SET k "+strconv.Itoa(i), "OK")
		if i%50 == 0 {
			most = max(most, anonymous(t, n))
		}
	}
	if grown := (most - before) >> 20; grown > 300 {
		t.Errorf("the node takes %d MiB more for %d connections that read nothing, with max_output = 64MiB", grown, connections)
	}
	left := sessions()
	t.Logf("%d MiB more, %d connections of %d left after %v", (most-before)>>20, left, open+connections, time.Since(begun))
	if left < 50 || left > connections*3/4 {
		t.Errorf("%d connections are left", left)
	}
	if time.Since(begun) < 15*time.Second {
		for range 50 { // nobody has closed it
			if line, err := slow.ReadLine(); err != nil || len(line) != 500<<10 {
				t.Fatalf("%d bytes, %v", len(line), err)
			}
		}
	}
	harness.Eventually(t, "who takes nothing is closed", func() error {
		if left := sessions(); left > open {
			return fmt.Errorf("%d connections are left", left)
		}
		return nil
	})
	mustDo(t, other, "GET k", "999")
}

// TestExpensiveWrites: some connections send, as fast as they can, writes of a few bytes that make every node look
// at or copy half a megabyte. Others' writes are done all the same, on every node.
func TestExpensiveWrites(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Leader()
	user := "dear-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, n, user), "SET large "+strings.Repeat("v", 500<<10), "OK")
	for _, line := range []string{"INCR large", "EXPIRE large 1d", `APPEND large ""`, "PERSIST large"} {
		t.Run(line, func(t *testing.T) {
			stop := attack(t, n, user, line)
			defer stop()
			var wg sync.WaitGroup
			for _, other := range c.Nodes {
				client := harness.LoginAs(t, other, "other-"+harness.Unique())
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
		c := harness.LoginAs(t, n, user)
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
	bytes, err := n.Anonymous()
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// TestExpensiveWritesOfAValueOnItsWay: one session stores a large value and removes it, again and again, and another
// sends thousands of EXPIREs that meet it as it comes: others' writes are done all the same.
func TestExpensiveWritesOfAValueOnItsWay(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Leader()
	user := "onway-" + harness.Unique()
	setter := harness.LoginAs(t, n, user)
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
	other := harness.LoginAs(t, n, "other-"+harness.Unique())
	var took []time.Duration
	for i := range 200 {
		begun := time.Now()
		mustDo(t, other, "SET k "+strconv.Itoa(i), "OK")
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("others' writes: median %v, longest %v", took[100], took[199])
}
