//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// fact returns a field of what a verb has printed as JSON.
func fact(t *testing.T, s said, name string) any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(s.out), &all); err != nil {
		t.Errorf("%q is no JSON: %v", s.out, err)
	}
	return all[name]
}

// TestVerbsWithoutAQuorum asks a healthy cluster, one without a quorum, and a node that is stopped.
func TestVerbsWithoutAQuorum(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	leader := c.Leader()
	last := c.Followers(leader)[0]
	s := command(t, c, last, "", "leader")
	does(t, s)
	if s.out != leader.Name+"\n" {
		t.Errorf("leader prints %q", s.out)
	}
	if got := fact(t, command(t, c, last, "", "leader", "-json"), "Leader"); got != leader.Name {
		t.Errorf("leader -json: %v", got)
	}
	does(t, command(t, c, last, "", "wait", "-ready"), last.Name+" is ready")
	does(t, command(t, c, last, "", "wait", "-leader"), leader.Name+" leads")
	user := "waits-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, leader, user), "SET k v", "OK")
	does(t, command(t, c, last, "", "wait", "-caught-up", "-timeout", "30s"), last.Name+" has applied all that was acknowledged")

	for _, n := range c.Followers(last) {
		n.Kill()
	}
	harness.Eventually(t, "it knows no leader", func() error {
		if s := command(t, c, last, "", "leader"); s.code != 2 || !strings.Contains(s.err, "no leader: "+last.Name+" says: ") {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	does(t, command(t, c, last, "", "wait", "-ready"), last.Name+" is ready")
	for _, args := range []string{
		"wait -leader -timeout 1s", "wait -caught-up -timeout 1s", "transfer", "user add bob", "user quota USER 1MiB",
		"user passwd USER", "user lock USER", "user remove -yes USER",
	} {
		words := strings.Fields(strings.ReplaceAll(args, "USER", user))
		if s := command(t, c, last, "secret\n", words...); s.code != 2 || !strings.Contains(s.err, "no leader") {
			t.Errorf("%s without a quorum: %+v", args, s)
		}
	}
	does(t, command(t, c, last, "", "user", "show", user), "locked         no")
	list := command(t, c, last, "", "member", "list")
	if list.code != 2 || !strings.Contains(list.out, "NAME") || !strings.Contains(list.err, "no leader") {
		t.Errorf("member list: %+v", list)
	}
	last.Stop(harness.StopLimit)
	for _, args := range []string{"leader", "wait -leader -timeout 1s", "transfer", "reload", "user add bob", "user list", "user lock bob", "drain"} {
		fails(t, command(t, c, last, "secret\n", strings.Fields(args)...), 1, "no node is running")
	}
}

// TestSocketUnderSystemd: with a runtime directory the socket is there, and the group's.
func TestSocketUnderSystemd(t *testing.T) {
	dir := t.TempDir()
	c := harness.Start(t, harness.Options{Env: []string{"RUNTIME_DIRECTORY=" + dir}})
	path := filepath.Join(dir, "admin.sock")
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(c.Nodes[0].DataDir, "admin.sock")); !os.IsNotExist(err) {
		t.Errorf("there is one in the data directory, too: %v", err)
	}
	does(t, command(t, c, c.Nodes[0], "", "leader", "-socket", path), "n1")
	c.Nodes[0].Stop(harness.StopLimit)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket of a node that has stopped: %v", err)
	}
}

// TestWaitForANodeThatComes waits for one that is started later.
func TestWaitForANodeThatComes(t *testing.T) {
	c := harness.New(t, harness.Options{})
	done := make(chan said)
	go func() { done <- command(t, c, c.Nodes[0], "", "wait", "-ready", "-timeout", "2m") }()
	c.Nodes[0].Start()
	does(t, <-done, "n1 is ready")
}

// TestReloadVerb changes the file, makes a mistake in it, and reloads; the log says who did.
func TestReloadVerb(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	n := c.Nodes[0]
	good, err := os.ReadFile(c.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(c.ConfigPath(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	does(t, command(t, c, n, "", "reload"), "no setting differs")
	write(string(good) + "auth { signup = \"closed\" }\n")
	does(t, command(t, c, n, "", "reload"), "changed: auth.signup: closed, was open")
	if err := harness.SignupOn(n, "bob", harness.Password); harness.Code(err) != "SIGNUP_CLOSED" {
		t.Errorf("SIGNUP: %v", err)
	}
	write(string(good) + "auth { signup = \"ajar\" }\n")
	// The command reads the file itself, to find the socket; the node would say the same.
	socket := filepath.Join(n.DataDir, "admin.sock")
	for _, s := range []said{command(t, c, n, "", "reload"), command(t, c, n, "", "reload", "-socket", socket)} {
		fails(t, s, 78, "ajar", "signup")
	}
	if err := harness.SignupOn(n, "bob", harness.Password); harness.Code(err) != "SIGNUP_CLOSED" {
		t.Errorf("SIGNUP: %v", err)
	}
	write(string(good) + "auth { signup = \"open\" }\n")
	s := command(t, c, n, "", "reload", "-json")
	does(t, s)
	if changed, ok := fact(t, s, "Changed").([]any); !ok || len(changed) != 1 {
		t.Errorf("%s", s.out)
	}
	text, err := os.ReadFile(n.LogPath)
	if want := fmt.Sprintf(`"outcome":"done","uid":"%d","verb":"reload"`, os.Getuid()); err != nil || strings.Count(string(text), want) != 3 {
		t.Errorf("the log has no three lines %s: %v", want, err)
	}
}

// TestFailedLoginsAreLogged with the name of a user, and without what may be a password.
func TestFailedLoginsAreLogged(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	user := "known-" + harness.Unique()
	harness.LoginAs(t, c.Nodes[0], user)
	for _, name := range []string{user, "pass-for-name"} {
		conn, err := c.Nodes[0].Dial()
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Login(name, "wrong-secret"); harness.Code(err) != "AUTH_FAILED" {
			t.Errorf("LOGIN: %v", err)
		}
		conn.Close()
	}
	harness.Eventually(t, "the log has it", func() error {
		text, err := os.ReadFile(c.Nodes[0].LogPath)
		if err == nil && !regexp.MustCompile(`"address":"127\.[0-9.]+","failed":"login","user":"`+user+`"`).Match(text) {
			err = fmt.Errorf("%s", text)
		}
		return err
	})
	if err := harness.CheckLog(c.Nodes[0].LogPath, "wrong-secret"); err != nil {
		t.Error(err)
	}
	if err := harness.CheckLog(c.Nodes[0].LogPath, "pass-for-name"); err != nil {
		t.Error(err)
	}
}
