//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

// A terminal has a program on it, a telnet say, that a test types into. All that is seen is read
// in one direction: each wait starts behind the words of the last one.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	keys io.Writer
	out  *watched
	seen int
}

// telnetTo starts a telnet and waits for the banner.
func telnetTo(t *testing.T, n *harness.Node) *terminal {
	t.Helper()
	host, port, err := net.SplitHostPort(n.Text)
	if err != nil {
		t.Fatal(err)
	}
	return startTerminal(t, "telnet "+host+" "+port)
}

// startTerminal starts a program that connects, and waits for the banner.
func startTerminal(t *testing.T, command string) *terminal {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*harness.Limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "script", "-qfec", command, "/dev/null")
	cmd.WaitDelay = time.Second
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, cmd: cmd, keys: keys, out: &watched{grown: make(chan struct{}, 1)}}
	cmd.Stdout = term.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the terminal: %q", term.text())
		}
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	term.hears(harness.Banner + "\n")
	return term
}

// text is all that the terminal has shown, without CR.
func (m *terminal) text() string {
	m.out.mu.Lock()
	defer m.out.mu.Unlock()
	return strings.ReplaceAll(m.out.all.String(), "\r", "")
}

// types presses keys.
func (m *terminal) types(keys string) {
	m.t.Helper()
	if _, err := io.WriteString(m.keys, keys); err != nil {
		m.t.Fatal(err)
	}
}

// hears waits for words and gives what was shown in front of them.
func (m *terminal) hears(words string) string {
	m.t.Helper()
	before, err := m.await(words, harness.Limit)
	if err != nil {
		m.t.Fatal(err)
	}
	return before
}

func (m *terminal) await(words string, limit time.Duration) (string, error) {
	late := time.After(limit)
	for {
		text := m.text()[m.seen:]
		if before, _, ok := strings.Cut(text, words); ok {
			m.seen += len(before) + len(words)
			return before, nil
		}
		select {
		case <-m.out.grown:
		case <-late:
			return "", fmt.Errorf("no %q in %q", words, text)
		}
	}
}

// asks types a line and waits for its reply, which the echo in front of it, of
// the line itself, cannot be taken for.
func (m *terminal) asks(line, reply string) {
	m.t.Helper()
	m.types(line + "\n")
	m.hears("\n" + reply + "\n")
}

// interrupts presses Ctrl-C and types word, until the server has answered it.
// What is typed before telnet has seen the interrupt is dropped by the terminal,
// and nothing tells when that is over: so it is typed again.
func (m *terminal) interrupts(word string) {
	m.t.Helper()
	m.types("\x03")
	harness.Eventually(m.t, "the answer after Ctrl-C", func() error {
		m.types("PING " + word + "\n")
		_, err := m.await("\n"+word+"\n", 2*time.Second)
		return err
	})
	// Any answers to the same line that are still to come are in front of this.
	m.asks("PING behind-"+word, "behind-"+word)
}

// ends waits for the end of the program.
func (m *terminal) ends() {
	m.t.Helper()
	if err := m.cmd.Wait(); exitCode(err) < 0 {
		m.t.Error(err)
	}
}

// TestTelnet is a session of somebody who types: mistakes are corrected, given
// up, and the keys that telnet itself knows do what they do elsewhere.
func TestTelnet(t *testing.T) {
	t.Parallel()
	harness.Need(t, "telnet")
	harness.Need(t, "script")
	c := harness.Start(t, harness.Options{})
	term := telnetTo(t, c.Nodes[0])

	term.asks("SIGNUP typist "+harness.Password, "User created successfully")
	term.asks("SET k v", "OK")
	term.asks("LOGOUT", harness.Banner)
	term.types("LOGIN\n")
	term.hears("Enter username: ")
	term.types("typist\n")
	term.hears("Enter password: ")
	term.types(harness.Password + "\n")
	term.hears("\nLogin successful\n")
	term.asks("GET k", "v")

	for _, word := range []string{"once", "twice"} {
		term.types("SET k half-a-li")
		term.hears("half-a-li")
		term.interrupts(word)
		term.asks("GET k", "v")
	}

	term.asks("GETT\x7f\x7f\x7fET q\x7fk", "v")
	term.asks("SET k typod\x7f\x7f\x7f\x7f\x7fvalue", "OK")
	term.asks("GET k", "value")

	term.types("\x1d")
	term.hears("telnet> ")
	term.types("send ayt\n")
	term.hears("[yes]\n")
	term.asks("GET k", "value")

	term.types("\x04\n")
	term.hears("BYE\n")
	term.ends()
}

// TestTelnetEcho looks at what a terminal shows of a password that is asked for:
// all of it with hide_password = "never"; none of it where it is hidden, which
// with "telnet" needs a client that has shown itself to be one. Other lines are
// always seen.
func TestTelnetEcho(t *testing.T) {
	t.Parallel()
	harness.Need(t, "telnet")
	harness.Need(t, "script")
	for _, tc := range []struct {
		mode          string
		first, proven bool // seen before and after telnet has sent its first IAC
	}{
		{"never", true, true},
		{"telnet", true, false},
		{"always", false, false},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			t.Parallel()
			c := harness.Start(t, harness.Options{Config: `auth { hide_password = "` + tc.mode + `" }`})
			term := telnetTo(t, c.Nodes[0])
			// prompted answers a prompt and tells what the terminal shows up to
			// the words that follow.
			prompted := func(prompt, answer, then string, seen bool) {
				t.Helper()
				term.hears(prompt)
				term.types(answer + "\n")
				want := "\n"
				if seen {
					want = answer + want
				}
				if got := term.hears(then); got != want {
					t.Errorf("%s: the terminal shows %q before %q, want %q", prompt, got, then, want)
				}
				term.seen -= len(then)
			}
			const signup, older, newer = "first-secret", "first-secret", "second-secret"
			term.types("SIGNUP\n")
			prompted("Enter username: ", "reader", "Enter password: ", true)
			prompted("Enter password: ", signup, "User created successfully\n", tc.first)
			term.asks("SET k seen", "OK")
			term.types("half a li")
			term.interrupts("proof")
			term.types("PASSWD\n")
			prompted("Enter old password: ", older, "Enter new password: ", tc.proven)
			prompted("Enter new password: ", newer, "OK\n", tc.proven)
			term.types("GET k\n")
			if got := term.hears("\nseen\n"); !strings.HasSuffix(got, "GET k") {
				t.Errorf("after the passwords the terminal shows %q, want the line that is typed", got)
			}
			term.asks("LOGOUT", harness.Banner)
			term.asks("LOGIN reader "+newer, "Login successful")
			term.types("QUIT\n")
			term.hears("BYE\n")
			term.ends()
			for _, secret := range []string{signup, newer} {
				if err := harness.CheckLog(c.Nodes[0].LogPath, secret); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
