//go:build e2e

package e2e

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"ciderd/test/harness"
)

// exitCode is that of a command which has run; -1 if it has not, or a signal
// ended it.
func exitCode(err error) int {
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.ExitCode()
	}
	return -1
}

// endsWith wants the server to send one `ERR code …` line by itself, and then
// the end.
func endsWith(t *testing.T, c *harness.Client, code string) {
	t.Helper()
	if _, err := c.ReadReply(); harness.Code(err) != code {
		t.Errorf("%v, want ERR %s", err, code)
	}
	ended(t, c)
}

func ended(t *testing.T, c *harness.Client) {
	t.Helper()
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v; want the end", rest, err)
	}
}

func dial(t *testing.T, n *harness.Node) *harness.Client {
	t.Helper()
	c, err := n.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestReload: SIGHUP applies what can change, and a bad file changes nothing and
// ends nothing.
func TestReload(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	n := c.Nodes[0]
	harness.MakeUser(t, n, "resident")
	c.WriteConfig("auth { signup = \"closed\"\n bogus = 1 }")
	n.Signal(syscall.SIGHUP)
	if err := dial(t, n).Signup("one", harness.Password); err != nil {
		t.Errorf("SIGNUP after a bad reload: %v", err)
	}
	c.WriteConfig(`auth { signup = "closed" }`)
	n.Signal(syscall.SIGHUP)
	harness.Eventually(t, "signup is closed", func() error {
		conn, err := n.Dial()
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if err := conn.Signup("late-"+harness.Unique(), harness.Password); harness.Code(err) != "SIGNUP_CLOSED" {
			return errors.New("still open")
		}
		return nil
	})
	mustDo(t, harness.LoginAs(t, n, "resident"), "GET k", "NOT_FOUND")
}

// TestTooManyConnections: beyond the limit the error comes instead of the
// banner; a place that is left can be taken again.
func TestTooManyConnections(t *testing.T) {
	const limit = 3
	c := harness.New(t, harness.Options{Config: `limits { max_connections = 3 }`})
	n := c.Nodes[0]
	n.Start()
	n.WaitServing()
	var conns []*harness.Client
	harness.Eventually(t, "the probes' places are free again", func() error {
		for len(conns) < limit {
			conn, err := n.Dial()
			if err != nil {
				return err
			}
			conns = append(conns, conn)
		}
		return nil
	})
	over, err := harness.DialRaw(n.Text)
	if err != nil {
		t.Fatal(err)
	}
	endsWith(t, over, "TOO_MANY_CONNECTIONS")
	for _, conn := range conns {
		mustDo(t, conn, "PING", "PONG")
	}
	mustDo(t, conns[0], "QUIT", "BYE")
	ended(t, conns[0])
	harness.Eventually(t, "a place", func() error {
		conn, err := n.Dial()
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// TestSecondSignalEndsNow: two SIGTERMs end a node whatever it waits for.
func TestSecondSignalEndsNow(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	leader := c.Leader()
	for _, n := range c.Followers(leader) {
		n.Pause()
	}
	leader.Signal(syscall.SIGTERM)
	leader.Signal(syscall.SIGTERM)
	leader.Stop(harness.StopLimit)
	for _, n := range c.Followers(leader) {
		n.Resume()
	}
}

// TestHelpFitsTheScreen: HELP is at most 24 lines of at most 80 columns.
func TestHelpFitsTheScreen(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	conn := harness.LoginAs(t, c.Nodes[0], "reader")
	lines, err := conn.DoLines("HELP")
	if err != nil {
		t.Fatal(err)
	}
	if len(lines)+1 > 24 {
		t.Errorf("HELP has %d lines with END, want 24 at most", len(lines)+1)
	}
	for _, line := range lines {
		if len([]rune(line)) > 80 {
			t.Errorf("%d columns: %s", len([]rune(line)), line)
		}
	}
	for _, verb := range strings.Fields("SET SETEX SETNX GET GETV CAS HAS DELETE INCR DECR APPEND EXPIRE PERSIST TTL MGET MSET " +
		"KEYS COUNT FLUSH SYNC ONCE PASSWD UNREGISTER WHOAMI STATS STATUS LOGOUT PING VERSION HELP QUIT") {
		if detail, err := conn.DoLines("HELP " + verb); err != nil || len(detail) == 0 {
			t.Errorf("HELP %s: %q, %v", verb, detail, err)
		}
	}
}

// TestNewlineCRLF: with newline = "crlf" every line ends in CR LF, and prompts
// still have no end.
func TestNewlineCRLF(t *testing.T) {
	c := harness.New(t, harness.Options{Config: `listen { newline = "crlf" }`})
	talk(t, c.Nodes[0], []exchange{
		{"", "LOGIN or SIGNUP\r\n"},
		{"SIGNUP\n", "Enter username: "},
		{"crlf\n", "Enter password: "},
		{"pw\r\n", "User created successfully\r\n"},
		{"SET k v\n", "OK\r\n"},
		{"MGET k x\n", "v\r\nNOT_FOUND\r\nEND\r\n"},
		{"QUIT\n", "BYE\r\n"},
	})
}

// TestHidePassword: with "telnet" only a client that has sent an IAC is asked
// to stop its echo, for the password and no longer; with "always" each one is.
// The newline after the password, which such a client does not show, is ours.
func TestHidePassword(t *testing.T) {
	const willEcho, wontEcho = "\xff\xfb\x01", "\xff\xfc\x01"
	for _, tc := range []struct {
		mode, first, reply, on, off, enter string
	}{
		{"telnet", "PING\n", "PONG\n", "", "", ""},
		{"telnet", "\xff\xfd\x03PING\n", "\xff\xfc\x03PONG\n", willEcho, wontEcho, "\n"},
		{"always", "PING\n", "PONG\n", willEcho, wontEcho, "\n"},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			c := harness.New(t, harness.Options{Config: `auth { hide_password = "` + tc.mode + `" }`})
			talk(t, c.Nodes[0], []exchange{
				{"", "LOGIN or SIGNUP\n"},
				{tc.first, tc.reply},
				{"SIGNUP\n", "Enter username: "},
				{"hidden\n", "Enter password: " + tc.on},
				{"pw\n", tc.off + tc.enter + "User created successfully\n"},
				{"QUIT\n", "BYE\n"},
			})
		})
	}
}

// An exchange is what is sent and the bytes that must come.
type exchange struct{ say, hear string }

// talk starts a node and runs exchanges on a new connection up to its end. IAC
// sequences are looked for as a set in front of or behind the text: their place
// among the bytes of one answer is nobody's business.
func talk(t *testing.T, n *harness.Node, exchanges []exchange) {
	t.Helper()
	n.Start()
	harness.Eventually(t, "it serves", func() error { return judgesPasswordsAt(n.Text) })
	conn, err := harness.DialRaw(n.Text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for _, e := range exchanges {
		if err := conn.Send([]byte(e.say)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(e.hear))
		if _, err := io.ReadFull(conn, got); err != nil {
			t.Fatalf("after %q: %q, %v; want %q", e.say, got, err, e.hear)
		}
		if sorted(string(got)) != sorted(e.hear) {
			t.Fatalf("after %q: %q, want %q", e.say, got, e.hear)
		}
	}
	ended(t, conn)
}

// judgesPasswordsAt is Serving for an address, without a view on how lines end.
func judgesPasswordsAt(addr string) error {
	conn, err := harness.DialRaw(addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.Send([]byte("LOGIN nobody nothing\nQUIT\n")); err != nil {
		return err
	}
	all, err := io.ReadAll(conn)
	if err == nil && !strings.Contains(string(all), "ERR AUTH_FAILED") {
		err = errors.New(string(all))
	}
	return err
}

// sorted moves the three-byte IAC sequences of a text to its front.
func sorted(text string) string {
	var options, rest string
	for len(text) > 0 {
		if text[0] == 0xFF && len(text) >= 3 {
			options, text = options+text[:3], text[3:]
			continue
		}
		rest, text = rest+text[:1], text[1:]
	}
	return options + rest
}

// A running node refuses a file that is empty, or another node's or cluster's, as a whole: everything in it is
// meant for somebody else.
func TestReloadOfAnothersFile(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Nodes[0]
	c.WriteConfig("auth { signup = \"closed\" }\n")
	n.Signal(syscall.SIGHUP)
	harness.Eventually(t, "signup is closed", func() error { return hasLogged(n, "auth.signup") })
	right, err := os.ReadFile(c.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	open := strings.Replace(string(right), "closed", "open", 1)
	for words, text := range map[string]string{
		"the file is empty":              "",
		`the file is that of cluster`:    strings.Replace(open, `cluster "harness"`, `cluster "other"`, 1),
		"the file has no cluster block":  "auth { signup = \"open\" }\n",
		"there is no node \\\"n1\\\" in": strings.Replace(open, `node "n1"`, `node "n9"`, 1),
	} {
		if err := os.WriteFile(c.ConfigPath(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n.Signal(syscall.SIGHUP)
		harness.Eventually(t, words, func() error { return hasLogged(n, words) })
		if err := dial(t, n).Signup("late-"+harness.Unique(), harness.Password); harness.Code(err) != "SIGNUP_CLOSED" {
			t.Errorf("%s: SIGNUP: %v", words, err)
		}
	}
	if err := os.WriteFile(c.ConfigPath(), []byte(open), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Signal(syscall.SIGHUP)
	harness.Eventually(t, "signup is open", func() error {
		conn, err := n.Dial()
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		return conn.Signup("late-"+harness.Unique(), harness.Password)
	})
}
