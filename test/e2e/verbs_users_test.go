//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// TestUsersOfAnOperator locks, unlocks, lists and removes, each on another node than the user is on.
func TestUsersOfAnOperator(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Redis: true})
	user := "locked-" + harness.Unique()
	here, there := c.Nodes[0], c.Nodes[1]
	conn := harness.LoginAs(t, here, user)
	mustDo(t, conn, "SET k v", "OK")
	harness.Eventually(t, "another node knows the user", func() error {
		s := command(t, c, there, "", "user", "show", user)
		if s.code != 0 || !strings.Contains(s.out, "keys           1\n") {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if got := fact(t, command(t, c, here, "", "user", "show", user, "-json"), "Sessions"); got != 1.0 {
		t.Errorf("%v sessions", got)
	}

	does(t, command(t, c, there, "", "user", "lock", user), user+" is locked: ")
	if line, err := conn.ReadLine(); err != nil || !strings.HasPrefix(line, "ERR SESSION_ENDED ") {
		t.Errorf("the session is told %q, %v", line, err)
	}
	does(t, command(t, c, here, "", "user", "lock", user), user+" is locked already")
	locked := func(password string) {
		t.Helper()
		for _, n := range c.Nodes {
			harness.Eventually(t, n.Name+" lets nobody in", func() error {
				again, err := n.Dial()
				if err != nil {
					return err
				}
				defer again.Close()
				if err := again.Login(user, password); harness.Code(err) != "AUTH_FAILED" {
					return fmt.Errorf("LOGIN: %v", err)
				}
				return nil
			})
		}
	}
	locked(harness.Password)
	does(t, command(t, c, there, "another\n", "user", "passwd", user), user+" has a new password")
	locked("another")
	for _, n := range c.Nodes { // it is in snapshot and log
		n.Kill()
	}
	for _, n := range c.Nodes {
		n.Start()
	}
	for _, n := range c.Nodes {
		n.WaitServing()
	}
	locked("another")
	does(t, command(t, c, there, "", "user", "unlock", user), user+" can log in again")
	does(t, command(t, c, here, "", "user", "unlock", user), user+" is not locked")
	harness.Eventually(t, "the new password opens", func() error {
		again, err := here.Dial()
		if err != nil {
			return err
		}
		defer again.Close()
		if err := again.Login(user, "another"); err != nil {
			return err
		}
		if got, err := again.Do("GET k"); err != nil || got != "v" {
			return fmt.Errorf("%q, %v", got, err)
		}
		return nil
	})

	fails(t, command(t, c, here, "", "user", "remove", user), 64, "say so with -yes")
	does(t, command(t, c, here, "", "user", "remove", "-yes", user), "removed user "+user)
	for _, args := range []string{"remove -yes", "lock", "unlock", "show", "quota"} {
		words := append([]string{"user"}, append(strings.Fields(args), user)...)
		if args == "quota" {
			words = append(words, "none")
		}
		fails(t, command(t, c, here, "", words...), 1, "there is no user "+user)
	}
	fails(t, command(t, c, here, "x\n", "user", "passwd", user), 1, "there is no user "+user)
	fails(t, command(t, c, here, "x\n", "user", "passwd", user, "secret"), 64, "usage: ciderd user passwd NAME")
	for _, n := range c.Nodes {
		if err := harness.CheckLog(n.LogPath, "another"); err != nil {
			t.Error(err)
		}
	}
}

// TestUserList lists more users than a page has, and nobody.
func TestUserList(t *testing.T) {
	c := harness.Start(t, harness.Options{Config: `auth { bcrypt_cost = 4 }`})
	n := c.Nodes[0]
	s := command(t, c, n, "", "user", "list", "-json")
	does(t, s)
	if !strings.HasPrefix(s.out, "[") {
		t.Errorf("nobody: %q", s.out)
	}
	const users = 1200 // three pages
	conn, err := n.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range users {
		name := fmt.Sprintf("u%04d", users-i)
		if err := conn.Signup(name, harness.Password); err != nil {
			t.Fatal(err)
		}
		mustDo(t, conn, "LOGOUT", harness.Banner)
	}
	does(t, command(t, c, n, "", "user", "lock", "u0007"))
	s = command(t, c, n, "", "user", "list", "-json")
	does(t, s)
	var all []struct {
		Name   string
		Locked bool
	}
	if err := json.Unmarshal([]byte(s.out), &all); err != nil || len(all) < users {
		t.Fatalf("%d users, %v", len(all), err)
	}
	for i, u := range all[len(all)-users:] { // the harness has a user of its own
		if u.Name != fmt.Sprintf("u%04d", i+1) || u.Locked != (u.Name == "u0007") {
			t.Errorf("user %d is %+v", i, u)
		}
	}
	does(t, command(t, c, n, "", "user", "list"), "NAME ", "u0007 ", "u1200 ")
}
