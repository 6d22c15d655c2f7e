//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

// TestFailoverWithoutNames kills the leader while the names of the nodes do not resolve any more: another one leads, and the
// one that was killed finds the others when it is started. The nodes have an /etc/hosts of their own.
func TestFailoverWithoutNames(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 || exec.Command("unshare", "-m", "true").Run() != nil {
		t.Skip("it takes root, and unshare")
	}
	c := harness.New(t, harness.Options{Nodes: 3})
	hosts, wrapper := filepath.Join(c.Dir, "hosts"), filepath.Join(c.Dir, "ciderd-with-hosts")
	script := fmt.Sprintf("#!/bin/sh\nexec unshare -m sh -c 'mount --bind %s /etc/hosts && exec %s \"$@\"' sh \"$@\"\n", hosts, harness.Binary(t))
	text, err := os.ReadFile(c.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	file, names := string(text), "127.0.0.1 localhost\n"
	for _, n := range c.Nodes {
		n.Use(wrapper)
		name := n.Name + ".ciderd.test"
		names += "127.0.0.1 " + name + "\n"
		block := fmt.Sprintf("node %q {\n    address = \"", n.Name)
		file = strings.Replace(file, block+"127.0.0.1:", block+name+":", 1)
	}
	file = strings.Replace(file, "{\n", "{\n  insecure_peers = true\n", 1)
	for path, content := range map[string]string{hosts: names, wrapper: script, c.ConfigPath(): file} {
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	user := "names-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, c.Leader(), user), "SET k v", "OK")
	time.Sleep(3 * time.Second) // so that all have asked all, and where they are is on the disks

	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n"), 0o600); err != nil { // the same file: it is mounted
		t.Fatal(err)
	}
	time.Sleep(6 * time.Second) // for so long a process may keep what it has read of it
	dead := c.Leader()
	dead.Kill()
	began := time.Now()
	for i, n := range c.Followers(dead) {
		conn := harness.LoginAs(t, n, user)
		harness.Eventually(t, "a write on "+n.Name, func() error {
			if reply, err := conn.Do(fmt.Sprintf("SET k%d w", i)); err != nil || reply != "OK" {
				return fmt.Errorf("%q, %w", reply, err)
			}
			return nil
		})
	}
	t.Logf("writes again after %v", time.Since(began))
	dead.Start()
	dead.WaitServing()
	mustDo(t, harness.LoginAs(t, dead, user), "GET k1", "w")
	sameEverywhere(t, c, user)
}
