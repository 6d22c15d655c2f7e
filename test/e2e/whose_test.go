//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// TestAnothersDirectory gives nodes what is not theirs: another node's disk, and the disks of a cluster of another
// name. Each ends at once, with both names and without advice to remove anything; under their own names they serve.
func TestAnothersDirectory(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "whose-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, c.Leader(), user), "SET k v", "OK")
	for _, n := range c.Nodes {
		n.Stop(harness.StopLimit)
	}
	n1, n2 := c.Nodes[0], c.Nodes[1]
	swap(t, n1.DataDir, n2.DataDir)
	refusesDirectory(t, n1, `belongs to node \"n2\" of cluster \"harness\", and this is node \"n1\" of cluster \"harness\"`)
	swap(t, n1.DataDir, n2.DataDir)

	renameCluster(t, c, "harness", "renamed")
	for _, n := range c.Nodes {
		refusesDirectory(t, n, `belongs to node \"`+n.Name+`\" of cluster \"harness\", and this is node \"`+n.Name+`\" of cluster \"renamed\"`)
	}
	renameCluster(t, c, "renamed", "harness")
	harness.Restart(t, c, c.Nodes)
	mustDo(t, harness.LoginAs(t, n1, user), "GET k", "v")
}

func swap(t *testing.T, a, b string) {
	t.Helper()
	for _, pair := range [][2]string{{a, a + ".aside"}, {b, a}, {a + ".aside", b}} {
		if err := os.Rename(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
}

func renameCluster(t *testing.T, c *harness.Cluster, from, to string) {
	t.Helper()
	text, err := os.ReadFile(c.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	renamed := strings.Replace(string(text), fmt.Sprintf("cluster %q", from), fmt.Sprintf("cluster %q", to), 1)
	if err := os.WriteFile(c.ConfigPath(), []byte(renamed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// refusesDirectory wants the node to end with 65 and to say why, and nothing of removing.
func refusesDirectory(t *testing.T, n *harness.Node, why string) {
	t.Helper()
	before := logOf(t, n)
	n.Start()
	if code := n.WaitEnd(harness.Limit); code != 65 {
		t.Errorf("%s ends with %d, want 65", n.Name, code)
	}
	said := strings.TrimPrefix(logOf(t, n), before)
	if !strings.Contains(said, why) && !strings.Contains(said, strings.ReplaceAll(why, `\"`, `"`)) || strings.Contains(said, "remove") {
		t.Errorf("%s says:\n%s", n.Name, said)
	}
}

func logOf(t *testing.T, n *harness.Node) string {
	t.Helper()
	text, err := os.ReadFile(n.LogPath)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// TestGrowTryOutNode does what OPERATIONS.md says of a node that was started for trying out: its data is moved to
// where the file has it, the file names node and cluster as they are, and two empty nodes are started beside it.
// Under other names it is told how.
func TestGrowTryOutNode(t *testing.T) {
	t.Parallel()
	c := harness.New(t, harness.Options{Nodes: 3})
	node := c.Nodes[0]
	p, err := harness.StartProcess(harness.Binary(t), c.Dir, filepath.Join(c.Dir, "tryout.log"),
		[]string{"CIDERD_LISTEN_TEXT=" + node.Text, "CIDERD_LISTEN_ADMIN=" + node.Admin})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Kill() }()
	harness.Eventually(t, "it serves", func() error { return judgesPasswordsAt(node.Text) })
	user := "tryout-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, node, user), "SET k v", "OK")
	stopFirst(t, p)
	shell(t, c.Dir, "mv ciderd-data "+node.DataDir)

	refusesDirectory(t, node, `belongs to node \"ciderd\" of cluster \"default\", and this is node \"n1\" of cluster \"harness\"`)
	node.Name = "ciderd"
	c.WriteConfig("")
	renameCluster(t, c, "harness", "default")
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	harness.Eventually(t, "three voters", func() error {
		list := command(t, c, c.Nodes[1], "", "member", "list")
		if n := strings.Count(list.out, " voter "); n != 3 {
			return fmt.Errorf("%d of\n%s", n, list.out)
		}
		return nil
	})
	mustDo(t, harness.LoginAs(t, c.Nodes[2], user), "GET k", "v")
	node.Kill() // and the two that were added go on
	two := c.Followers(node)
	harness.Eventually(t, "writes without the first", func() error {
		conn := harness.LoginAs(t, two[0], user)
		if reply, err := conn.Do("SET k w"); err != nil || reply != "OK" {
			return fmt.Errorf("%q, %v", reply, err)
		}
		return nil
	})
	node.Start()
	node.WaitServing()
	sameEverywhere(t, c, user)
}

func shell(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out.String())
	}
}

// noNamesKept is a commit whose directories do not tell whose they are.
const noNamesKept = "ec6dfaf"

// TestAnothersOldDirectory: the directory of a release that kept no names tells whose it is by its server's id.
func TestAnothersOldDirectory(t *testing.T) {
	t.Parallel()
	c := harness.New(t, harness.Options{Nodes: 3})
	for _, n := range c.Nodes {
		n.Use(harness.Release(t, noNamesKept))
		n.Start()
	}
	c.WaitReady()
	for _, n := range c.Nodes {
		n.Stop(harness.StopLimit)
		n.Use(harness.Binary(t))
	}
	n1, n2 := c.Nodes[0], c.Nodes[1]
	swap(t, n1.DataDir, n2.DataDir)
	refusesDirectory(t, n1, `belongs to node \"n2\", and this is node \"n1\" of cluster \"harness\"`)
	refusesDirectory(t, n2, `belongs to node \"n1\", and this is node \"n2\" of cluster \"harness\"`)
	swap(t, n1.DataDir, n2.DataDir)
	harness.Restart(t, c, c.Nodes)
	n1.Stop(harness.StopLimit)
	renameCluster(t, c, "harness", "renamed")
	refusesDirectory(t, n1, `belongs to node \"n1\" of cluster \"harness\", and this is node \"n1\" of cluster \"renamed\"`)
}
