//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ciderd/test/harness"
)

// baseline is a commit whose binary a running cluster must be upgraded from, one node at a time, and go back to.
type baseline struct {
	commit, what string
	// early does something with a node that runs the present binary, that must change nothing: while it is the only one and,
	// with redis, while there are two; nil: nothing.
	early func(*testing.T, *harness.Cluster, *harness.Node)
	// uses makes a cluster of the present binary write what the baseline does not know; nil: there is nothing.
	uses func(*testing.T, *harness.Cluster)
	// redis: nodes of the present binary have a port for clients of Redis, which the baseline cannot have in its file.
	redis bool
}

var baselines = []baseline{
	{"ec6dfaf", "before entries of version 2", nil, usesNew, false},
	{"a824b82", "before limits on memory", notYetLimited, usesLimits, false},
	{"74617df", "before clients of Redis", notYetRedis, usesRedis, true},
	{"fa19f24", "before locks", notYetLocked, usesLocks, false},
	{"59f307c", "before the journal", backAfterKill, nil, false},
	{"0f61806", "before followers waited for a late leader", nil, nil, false},
}

// TestUpgrade upgrades a cluster of each baseline, one node at a time and under load: no client of another
// node sees an error, nothing is lost or done twice. Until something is used that the baseline does not
// know it goes back in the same way. Then a node of the baseline ends instead of going on with another state than
// the others, and one that is new is not let in, and both say why.
func TestUpgrade(t *testing.T) {
	for _, b := range baselines {
		t.Run(b.commit+" "+b.what, func(t *testing.T) { upgrade(t, b) })
	}
}

func upgrade(t *testing.T, b baseline) {
	old, new := harness.Release(t, b.commit), harness.Binary(t)
	c := harness.New(t, harness.Options{Nodes: 3, Config: patient})
	for _, n := range c.Nodes {
		n.Use(old)
		n.Start()
	}
	c.WaitReady()
	var users []string
	for range 6 { // none signs up later on: that uses something new
		user := "load-" + harness.Unique()
		harness.MakeUser(t, c.Leader(), user)
		users = append(users, user)
	}
	for i, user := range users {
		to := new
		if i >= 3 {
			to = old
		}
		if i == 3 {
			compacted(t, c, users[0]) // what goes back has a snapshot to read, too
		}
		b.ports(c, to == new)
		upgraded(t, c, c.Nodes[i%3], to, user)
		if b.early != nil && (i == 0 || b.redis && i == 1) {
			b.early(t, c, c.Nodes[i])
		}
	}
	b.ports(c, true)
	for _, n := range c.Nodes {
		restartAs(t, n, new)
	}
	c.WaitReady()
	if b.uses != nil {
		b.uses(t, c)
		b.ports(c, false)
		refusesOld(t, c, old)
	}
}

// ports writes the file for a node that starts next.
func (b *baseline) ports(c *harness.Cluster, present bool) {
	if b.redis {
		c.ServeRedis(present)
		c.WriteConfig(patient)
	}
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
	if code := n.Stop(harness.StopLimit); code != 0 {
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
		user := harness.LoginAs(t, c.Leader(), "new-"+harness.Unique())
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

// compacted writes until every node has taken a snapshot.
func compacted(t *testing.T, c *harness.Cluster, user string) {
	t.Helper()
	conn, value := harness.LoginAs(t, c.Leader(), user), strings.Repeat("v", 500<<10)
	harness.Eventually(t, "snapshots", func() error {
		for i := range 20 {
			mustDo(t, conn, "SET k"+strconv.Itoa(i)+" "+value, "OK")
		}
		for _, n := range c.Nodes {
			if err := hasLogged(n, "snapshot taken"); err != nil {
				return err
			}
		}
		return nil
	})
	mustDo(t, conn, "FLUSH ALL", "OK")
}

// usesLimits sets a limit, which the cluster of the baseline has not got by itself: neither from a default, nor from a
// file that was changed while some nodes ran the baseline.
func usesLimits(t *testing.T, c *harness.Cluster) {
	t.Helper()
	wantLimit(t, c, 0)
	for _, n := range c.Nodes {
		conn := harness.LoginAs(t, n, "operator")
		if got, err := conn.Notices(); err != nil || len(got) != 1 || !strings.HasPrefix(got[0], "no limit on memory has been set") {
			t.Errorf("%s: %q, %v", n.Name, got, err)
		}
	}
	c.WriteConfig(limited(`max_memory = "64MiB"`))
	c.Nodes[0].Signal(syscall.SIGHUP)
	wantLimit(t, c, 64*mib)
	does(t, command(t, c, c.Nodes[1], "", "user", "quota", "operator", "1MiB"), "has a quota of 1MiB")
	c.WriteConfig(patient) // which the baseline reads
}

// notYetLimited changes the file of a node that knows limits, while others do not.
func notYetLimited(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	c.WriteConfig(limited(`max_memory = "32MiB"`))
	n.Signal(syscall.SIGHUP)
	harness.Eventually(t, "it waits for the others", func() error {
		return hasLogged(n, "some nodes run a release without limits")
	})
	harness.MakeUser(t, n, "operator")
	fails(t, command(t, c, n, "", "user", "quota", "operator", "1MiB"), 1, "not every node of the cluster knows quotas")
	c.WriteConfig(patient)
	n.Signal(syscall.SIGHUP)
}

// backAfterKill kills a node of the present binary, whose newest entries only its journal has then: the baseline refuses the
// directory, until the journal was flushed.
func backAfterKill(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	old := harness.Release(t, "59f307c")
	conn := harness.LoginAs(t, c.Followers(n)[0], "back-"+harness.Unique())
	for i := range 50 {
		mustDo(t, conn, "SET back"+strconv.Itoa(i)+" v", "OK")
	}
	fails(t, command(t, c, n, "", "journal", "flush"), 1, "in use by another process")
	n.Kill()
	n.Use(old)
	n.Start()
	if code := n.WaitEnd(harness.StopLimit); code != 65 {
		t.Errorf("the baseline ends with %d on a directory with a journal, want 65", code)
	}
	logged(t, n, "journal")
	n.Use(harness.Binary(t))
	does(t, command(t, c, n, "", "journal", "flush"), "can open it")
	does(t, command(t, c, n, "", "journal", "flush"), "has no journal")
	n.Use(old)
	n.Start()
	n.WaitServing()
	restartAs(t, n, harness.Binary(t))
	c.WaitReady()
}

func refusesOld(t *testing.T, c *harness.Cluster, old string) {
	t.Helper()
	n := c.Followers(c.Leader())[0]
	if code := n.Stop(harness.StopLimit); code != 0 {
		t.Fatalf("%s ended with %d", n.Name, code)
	}
	n.Use(old)
	n.Start()
	if code := n.WaitEnd(harness.StopLimit); code == 0 {
		t.Error("the baseline goes on with entries that it does not know")
	}
	logged(t, n, "log entry of a later release")
	n.WipeData()
	n.Start()
	harness.Eventually(t, "an empty node of the baseline is told what to install", func() error {
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
