//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"ciderd/test/harness"
)

// TestTransferBesideAPausedNode: a node that is stopped is not handed leadership, neither by a command nor
// by a leader that ends, and no client of a node that runs sees an error.
func TestTransferBesideAPausedNode(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
	user := "transfer-" + harness.Unique()
	leader := c.Leader()
	paused, other := c.Followers(leader)[0], c.Followers(leader)[1]
	conn := harness.LoginAs(t, other, user)
	mustDo(t, conn, "SET k v", "OK")
	paused.Pause()
	fails(t, command(t, c, other, "", "transfer", paused.Name), 1, paused.Name, "does not answer")
	mustDo(t, conn, "SET k w", "OK")
	does(t, command(t, c, leader, "", "transfer"), other.Name+" leads now; "+leader.Name+" led before")
	mustDo(t, conn, "SET k x", "OK")
	does(t, command(t, c, other, "", "transfer", leader.Name), leader.Name+" leads now")
	leader.Signal(syscall.SIGTERM)
	harness.Eventually(t, other.Name+" leads", func() error {
		status, err := conn.Status()
		if err == nil && status["role"] != "leader" {
			err = fmt.Errorf("it is %s, %s leads", status["role"], status["leader"])
		}
		return err
	})
	paused.Resume()
	mustDo(t, conn, "SET k y", "OK")
	harness.Eventually(t, leader.Name+" ends", func() error {
		if leader.Running() {
			return errors.New("it runs")
		}
		return nil
	})
	harness.Restart(t, c, []*harness.Node{leader})
	sameEverywhere(t, c, user)
}
