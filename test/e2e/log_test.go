//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"ciderd/test/harness"
)

// debugging has nodes say much, and writes fail long before a test's patience ends.
const debugging = `
log {
  level = "debug"
}
timeouts {
  write = "10s"
}
`

// leadsUnread gives a cluster whose leader's output is a full pipe that nobody reads.
func leadsUnread(t *testing.T) (c *harness.Cluster, leader *harness.Node, pipe harness.Unread) {
	t.Helper()
	c = harness.Start(t, harness.Options{Nodes: 3, Config: debugging})
	n := c.Nodes[0]
	n.Stop(harness.StopLimit)
	pipe = n.StartUnread()
	n.WaitServing()
	harness.Eventually(t, n.Name+" leads", func() error {
		if leader := c.Leader(); leader != n {
			said := command(t, c, leader, "", "transfer", n.Name)
			return fmt.Errorf("%s leads: %s%s", leader.Name, said.out, said.err)
		}
		return nil
	})
	return c, n, pipe
}

// chatter makes a node log many lines.
func chatter(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	for i := range 20 {
		does(t, command(t, c, n, "", "member", "list"), n.Name)
		fails(t, command(t, c, n, "", "member", "remove", fmt.Sprint("nobody", i)), 1, "nobody")
		n.Signal(syscall.SIGHUP) // which is said
	}
}

// TestLogNotRead: a leader whose log nobody reads leads on, and its clients notice nothing; read again, its
// log goes on; SIGTERM ends it in order, and in time.
func TestLogNotRead(t *testing.T) {
	t.Parallel()
	c, leader, _ := leadsUnread(t)
	user := "log-" + harness.Unique()
	harness.MakeUser(t, leader, user)
	chatter(t, c, leader)
	for _, n := range c.Nodes {
		conn := harness.LoginAs(t, n, user)
		for i := range 50 {
			mustDo(t, conn, fmt.Sprintf("SET k%d %s", i, n.Name), "OK")
		}
	}
	if now := c.Leader(); now != leader {
		t.Errorf("%s leads", now.Name)
	}
	began := time.Now()
	if code := leader.Stop(harness.StopLimit); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	t.Logf("it stopped in %v", time.Since(began))
	c.Leader()
}

// TestLogReadAgain: what was queued comes out as soon as somebody reads.
func TestLogReadAgain(t *testing.T) {
	t.Parallel()
	c, leader, pipe := leadsUnread(t)
	chatter(t, c, leader)
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<20)
	if err := pipe.SetReadDeadline(time.Now().Add(harness.Limit)); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"starting", "configuration reloaded"} {
		for !strings.Contains(lines.Text(), words) {
			if !lines.Scan() {
				t.Fatalf("no %q: %v", words, lines.Err())
			}
		}
	}
}

// TestEndsWithoutALogReader: what ends a node ends it also when nobody reads its log.
func TestEndsWithoutALogReader(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end  func(t *testing.T, c *harness.Cluster, n *harness.Node)
		code int
	}{
		"a disk that hangs": {func(t *testing.T, c *harness.Cluster, n *harness.Node) {
			user := "hang-" + harness.Unique()
			conn := harness.LoginAs(t, n, user)
			n.HangDisk()
			_ = conn.Send([]byte("SET k v\n"))
			harness.Eventually(t, "another leads", func() error {
				if leader, err := c.FindLeader(); err != nil || leader == n {
					return fmt.Errorf("none: %v", err)
				}
				return nil
			})
			n.FreeDisk() // what hangs there can only end with that
		}, 1},
		"a sync that fails": {func(t *testing.T, c *harness.Cluster, n *harness.Node) {
			user := "sync-" + harness.Unique()
			conn := harness.LoginAs(t, n, user)
			n.FailSyncs()
			_ = conn.Send([]byte("SET k v\n"))
		}, 1},
		"a second SIGTERM": {func(t *testing.T, c *harness.Cluster, n *harness.Node) {
			// Alone, with a write that waits for a majority, it does not end at once.
			user := "term-" + harness.Unique()
			conn := harness.LoginAs(t, n, user)
			for _, other := range c.Followers(n) {
				other.Kill()
			}
			_ = conn.Send([]byte("SET k v\n"))
			n.Signal(syscall.SIGTERM)
			time.Sleep(1500 * time.Millisecond)
			n.Signal(syscall.SIGTERM)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c, leader, _ := leadsUnread(t)
			chatter(t, c, leader)
			tc.end(t, c, leader)
			if code := leader.WaitEnd(harness.StopLimit); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
		})
	}
}

// TestLogReaderGone: a node whose log's reader has gone lives and serves.
func TestLogReaderGone(t *testing.T) {
	t.Parallel()
	c, leader, pipe := leadsUnread(t)
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
	user := "gone-" + harness.Unique()
	harness.MakeUser(t, leader, user)
	chatter(t, c, leader)
	mustDo(t, harness.LoginAs(t, leader, user), "SET k v", "OK")
	if code := leader.Stop(harness.StopLimit); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
}
