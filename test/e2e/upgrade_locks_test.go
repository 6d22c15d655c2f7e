//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// notYetLocked asks a node that knows locks for one, while others do not. A new password is nothing new.
func notYetLocked(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	harness.MakeUser(t, n, "operated")
	fails(t, command(t, c, n, "", "user", "lock", "operated"), 1, "not every node of the cluster knows this yet: upgrade all of them first", "the user was not locked")
	does(t, command(t, c, n, "another\n", "user", "passwd", "operated"), "operated has a new password")
	does(t, command(t, c, n, harness.Password+"\n", "user", "passwd", "operated"), "operated has a new password")
	harness.LoginAs(t, n, "operated")
	notYetRestored(t, c, n)
}

// notYetRestored asks the same node for a backup, which it can make by itself, and for a restore, which it cannot.
func notYetRestored(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	file := filepath.Join(c.Dir, "backup-before")
	if s := command(t, c, n, "", "backup", file); s.code != 0 || !strings.Contains(s.err, "not every node of the cluster knows backups yet") {
		t.Errorf("a backup: %+v", s)
	}
	fails(t, command(t, c, n, "", "restore", "-yes", "-replace", file), 1, "not every node of the cluster knows backups yet: upgrade all of them first")
}

// usesLocks locks a user once all nodes know what that is, and sees that each does as it says.
func usesLocks(t *testing.T, c *harness.Cluster) {
	t.Helper()
	harness.Eventually(t, "all have said what they read", func() error {
		if s := command(t, c, c.Nodes[0], "", "user", "lock", "operated"); s.code != 0 || !strings.Contains(s.out, "operated is locked") {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	for _, n := range c.Nodes {
		harness.Eventually(t, n.Name+" lets nobody in", func() error {
			conn, err := n.Dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := conn.Login("operated", harness.Password); harness.Code(err) != "AUTH_FAILED" {
				return fmt.Errorf("LOGIN: %v", err)
			}
			return nil
		})
	}
}
