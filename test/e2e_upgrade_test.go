//go:build e2e

package test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"ciderd/internal/harness"
)

// before is the commit whose binary a running cluster must be upgraded from, one node at a time.
const before = "ec6dfaf"

// TestUpgrade upgrades a cluster of the release before, one node at a time and under load: no client of another
// node sees an error, nothing is lost or done twice. Until something is used that the release before does not
// know it goes back in the same way. Then a node of that release ends instead of going on with another state than
// the others, and one that is new is not let in, and both say why.
func TestUpgrade(t *testing.T) {
	old, new := harness.Release(t, before), harness.Binary(t)
	c := harness.New(t, harness.Options{Nodes: 3, Config: patient})
	for _, n := range c.Nodes {
		n.Use(old)
		n.Start()
	}
	c.WaitReady()
	var users []string
	for range 6 { // none signs up later on: that uses something new
		user := "load-" + unique()
		makeUser(t, c.Leader(), user)
		users = append(users, user)
	}
	for i, user := range users {
		to := new
		if i >= 3 {
			to = old
		}
		upgraded(t, c, c.Nodes[i%3], to, user)
	}
	for _, n := range c.Nodes {
		restartAs(t, n, new)
	}
	c.WaitReady()
	usesNew(t, c)
	refusesOld(t, c, old)
}

// upgraded restarts one node with another binary, under load.
func upgraded(t *testing.T, c *harness.Cluster, n *harness.Node, bin, user string) {
	t.Helper()
	l := startLoadAs(t, c, user)
	l.progress(t, 20, c.Nodes...)
	restartAs(t, n, bin)
	l.progress(t, 20, c.Nodes...)
	l.halt()
	l.check(t, c, c.Followers(n))
}

func restartAs(t *testing.T, n *harness.Node, bin string) {
	t.Helper()
	if code := n.Stop(stopLimit); code != 0 {
		t.Fatalf("%s ended with %d", n.Name, code)
	}
	n.Use(bin)
	n.Start()
	n.WaitServing()
}

// usesNew has a user sign up the new way: versions begin at the log's time.
func usesNew(t *testing.T, c *harness.Cluster) {
	t.Helper()
	harness.Eventually(t, "all have said what they read", func() error {
		user := loginAs(t, c.Leader(), "new-"+unique())
		if _, err := user.Do("SET k v"); err != nil {
			return err
		}
		reply, err := user.Do("GETV k")
		if err != nil {
			return err
		}
		if version, err := strconv.Atoi(strings.Fields(reply)[1]); err != nil || version < 1_600_000_000_000_000 {
			return fmt.Errorf("GETV: %s", reply)
		}
		return nil
	})
}

func refusesOld(t *testing.T, c *harness.Cluster, old string) {
	t.Helper()
	n := c.Followers(c.Leader())[0]
	if code := n.Stop(stopLimit); code != 0 {
		t.Fatalf("%s ended with %d", n.Name, code)
	}
	n.Use(old)
	n.Start()
	if code := n.WaitEnd(stopLimit); code == 0 {
		t.Error("the release before goes on with entries that it does not know")
	}
	logged(t, n, "log entry of a later release")
	n.WipeData()
	n.Start()
	harness.Eventually(t, "an empty node of the release before is told what to install", func() error {
		return hasLogged(n, "install ciderd")
	})
	n.Kill()
	n.WipeData()
	n.Use(harness.Binary(t))
	n.Start()
	n.WaitServing()
}

func hasLogged(n *harness.Node, words string) error {
	text, err := os.ReadFile(n.LogPath)
	if err == nil && !strings.Contains(string(text), words) {
		err = fmt.Errorf("%s has not said %q", n.Name, words)
	}
	return err
}

func logged(t *testing.T, n *harness.Node, words string) {
	t.Helper()
	if err := hasLogged(n, words); err != nil {
		t.Error(err)
	}
}
