package harness

import (
	"strconv"
	"testing"
	"time"
)

// Password is of every user that MakeUser and LoginAs make.
const Password = "loads-secret-0815"

// MakeUser signs a user up; an account that is there already is no error, as an
// earlier try may have had an unknown end.
func MakeUser(t testing.TB, n *Node, user string) {
	t.Helper()
	LoginAs(t, n, user)
}

// LoginAs gives a connection that is logged in and closes it at the test's end.
// The account is made where it does not exist.
func LoginAs(t testing.TB, n *Node, user string) *Client {
	t.Helper()
	var c *Client
	Eventually(t, user+" logged in on "+n.Name, func() (err error) {
		if c, err = n.Dial(); err != nil {
			return err
		}
		if err = EnsureUser(c, user, Password); err != nil {
			_ = c.Close()
		}
		return err
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// StopLimit bounds a SIGTERM, with a machine that is ten times too slow.
const StopLimit = 30 * time.Second

// Restart starts those nodes, which do not run, and waits until the cluster is ready.
func Restart(t testing.TB, c *Cluster, nodes []*Node) {
	t.Helper()
	for _, n := range nodes {
		n.Start()
	}
	c.WaitReady()
}

// SignupOn makes an account on a node, and is gone again.
func SignupOn(n *Node, user, pw string) error {
	c, err := n.Dial()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return c.Signup(user, pw)
}

// Term is the one that the node is in.
func Term(t testing.TB, n *Node, user string) int {
	t.Helper()
	conn := LoginAs(t, n, user)
	defer func() { _ = conn.Close() }()
	status, err := conn.Status()
	if err != nil {
		t.Fatal(err)
	}
	term, err := strconv.Atoi(status["term"])
	if err != nil {
		t.Fatal(err)
	}
	return term
}
