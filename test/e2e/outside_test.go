//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// startAllWith runs nodes with files that have these blocks alone, and waits until they serve.
func startAllWith(t *testing.T, c *harness.Cluster, nodes []*harness.Node, blocks []string) (running []*harness.Process) {
	t.Helper()
	for _, n := range nodes {
		p, _ := runWith(t, c, n, "harness", blocks)
		running = append(running, p)
	}
	for _, n := range nodes {
		harness.Eventually(t, n.Name+" serves", func() error { return judgesPasswordsAt(n.Text) })
	}
	return running
}

// TestOutOfTheOthersFile: a node that is not in the others' files serves nobody and says why, as it cannot know what it
// misses; it is not told to remove anything. Back in their files it serves. Once it is removed too, it ends with 65 at each
// start, as OPERATIONS.md says.
func TestOutOfTheOthersFile(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "out-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, c.Leader(), user), "SET k old", "OK")
	n1, n2, n3 := c.Nodes[0], c.Nodes[1], c.Nodes[2]
	two, all := []*harness.Node{n1, n2}, blocks(t, c)
	conn := harness.LoginAs(t, n3, user)
	for _, n := range two {
		n.Stop(harness.StopLimit)
	}
	running := startAllWith(t, c, two, all[:2])
	statusHolds(t, conn, "ready false", "reads no", "writes no", `waiting the other nodes do not count this one as a member: .*no node "n3" in the configuration of n1.*`)
	if code, body, err := getReady(n3); err != nil || code != 503 || !strings.Contains(body, `no node "n3" in the configuration of n2`) || strings.Contains(body, "remove") {
		t.Errorf("/health/ready: %d %q, %v", code, body, err)
	}
	if reply, err := conn.Do("GET k"); err == nil {
		t.Errorf("it serves what it has: %q", reply)
	}
	for _, p := range running {
		stopFirst(t, p)
	}
	running = startAllWith(t, c, two, all)
	harness.Eventually(t, "it serves again", n3.Serving)

	does(t, command(t, c, n1, "", "member", "remove", "n3"), "removed n3/", "its process ends by itself")
	if code := n3.WaitEnd(harness.Limit); code != 65 {
		t.Errorf("it ends with %d, want 65", code)
	}
	for _, p := range running {
		stopFirst(t, p)
	}
	startAllWith(t, c, two, all[:2])
	mustDo(t, harness.LoginAs(t, n1, user), "SET k new", "OK")
	for range 2 {
		before := logOf(t, n3)
		n3.Start()
		if code := n3.WaitEnd(harness.Limit); code != 65 {
			t.Errorf("at its next start it ends with %d, want 65", code)
		}
		if said := strings.TrimPrefix(logOf(t, n3), before); !strings.Contains(said, "removed from the cluster: remove its data directory") {
			t.Errorf("it says:\n%s", said)
		}
	}
	harness.Eventually(t, "an empty one is told why it waits", func() error {
		if !n3.Running() {
			n3.WipeData()
			n3.Start()
		}
		if code, body, err := getReady(n3); err != nil || !strings.Contains(body, `n1: does not know this node: no node "n3" in the configuration of n1`) {
			return fmt.Errorf("%d %q, %w", code, body, err)
		}
		return nil
	})
	if _, err := os.Stat(n3.DataDir); err != nil {
		t.Error(err)
	}
}
