//go:build e2e

package e2e

import (
	"bytes"
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

// A realClient is a program that people type or pipe commands into.
type realClient struct {
	name string
	args []string // HOST and PORT are filled in, and ROOTS, a file of authorities
	quit bool     // the script ends in QUIT
	open bool     // stdin stays open: the program leaves at its end without reading on
	head string   // what the program itself prints before the server's bytes
	tail string   // … and after them, on stdout
}

// Those without QUIT send EOF and must get every reply nevertheless; those that
// cannot send EOF alone need QUIT.
var realClients = []realClient{
	{name: "nc.openbsd -N", args: []string{"nc.openbsd", "-N", "HOST", "PORT"}},
	{name: "nc.openbsd, QUIT", args: []string{"nc.openbsd", "HOST", "PORT"}, quit: true},
	{name: "nc.openbsd -N, QUIT", args: []string{"nc.openbsd", "-N", "HOST", "PORT"}, quit: true},
	{name: "nc.openbsd -C, QUIT", args: []string{"nc.openbsd", "-C", "HOST", "PORT"}, quit: true},
	{name: "nc.traditional, QUIT", args: []string{"nc.traditional", "HOST", "PORT"}, quit: true},
	{name: "ncat", args: []string{"ncat", "HOST", "PORT"}},
	{name: "ncat, QUIT", args: []string{"ncat", "HOST", "PORT"}, quit: true},
	{name: "ncat -C", args: []string{"ncat", "-C", "HOST", "PORT"}},
	{name: "busybox nc", args: []string{"busybox", "nc", "HOST", "PORT"}},
	{name: "busybox nc, QUIT", args: []string{"busybox", "nc", "HOST", "PORT"}, quit: true},
	{name: "socat", args: []string{"socat", "-t60", "-", "TCP:HOST:PORT"}},
	{name: "socat, QUIT", args: []string{"socat", "-t60", "-", "TCP:HOST:PORT"}, quit: true},
	{name: "socat crnl", args: []string{"socat", "-t60", "-", "TCP:HOST:PORT,crlf"}},
	{name: "bash /dev/tcp, QUIT", args: []string{"bash", "-c", "exec 3<>/dev/tcp/HOST/PORT; cat >&3; cat <&3"}, quit: true},
	{name: "telnet, QUIT", args: []string{"telnet", "HOST", "PORT"}, quit: true, open: true,
		head: "Trying HOST...\nConnected to HOST.\nEscape character is '^]'.\n"},
}

// scriptCommands is how many commands are piped in, login and QUIT not counted.
const scriptCommands = 600

// script gives the commands and, to the byte, what the server answers.
func script(user string, quit bool) (in, out string) {
	var lines, replies strings.Builder
	say := func(line, reply string) {
		lines.WriteString(line + "\n")
		replies.WriteString(reply + "\n")
	}
	replies.WriteString(harness.Banner + "\n")
	say("LOGIN "+user+" "+harness.Password, "Login successful")
	say("FLUSH ALL", "OK")
	for i := range scriptCommands / 6 {
		say(fmt.Sprintf("SET k%d value  number %d", i, i), "OK")
		say(fmt.Sprintf("GET k%d", i), fmt.Sprintf("value  number %d", i))
		say("INCR n", fmt.Sprint(i+1))
		say(fmt.Sprintf("SET q \"%d\\n\\x00é\"", i), "OK")
		say(fmt.Sprintf("MGET q nothing k%d", i), fmt.Sprintf("\"%d\\n\\x00é\"\nNOT_FOUND\nvalue  number %d\nEND", i, i))
		say(fmt.Sprintf("DELETE k%d", i), "OK")
	}
	if quit {
		say("QUIT", "BYE")
	}
	return lines.String(), replies.String()
}

// TestRealClients pipes a script of 600 commands into every client there is: all
// replies arrive, byte for byte, and the program ends.
func TestRealClients(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	n := c.Nodes[0]
	pipeInto(t, n, n.Text, "", realClients)
}

// pipeInto pipes the script into clients of a port of n; ca is the file of the authority that has signed its certificate.
func pipeInto(t *testing.T, n *harness.Node, addr, ca string, clients []realClient) {
	t.Helper()
	user := "piped-" + harness.Unique()
	harness.MakeUser(t, n, user)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("HOST", host, "PORT", port, "ROOTS", ca)
	for _, rc := range clients {
		t.Run(rc.name, func(t *testing.T) {
			harness.Need(t, rc.args[0])
			in, want := script(user, rc.quit)
			args := make([]string, len(rc.args))
			for i, arg := range rc.args {
				args[i] = fill.Replace(arg)
			}
			got := pipe(t, args, in, rc.open)
			want = fill.Replace(rc.head) + want + fill.Replace(rc.tail)
			if got != want {
				t.Errorf("%s: %d bytes, want %d: %v", strings.Join(args, " "), len(got), len(want), harness.Mismatch(want, got))
			}
		})
	}
}

// pipe runs a program with in as its input and gives its standard output.
func pipe(t *testing.T, args []string, in string, open bool) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*harness.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(stdin, in)
		if !open && err == nil {
			err = stdin.Close()
		}
		written <- err
	}()
	err = cmd.Wait()
	if werr := <-written; werr != nil {
		t.Errorf("writing: %v", werr)
	}
	// Some of them call the server's close a failure; a signal is our timeout.
	if code := exitCode(err); code < 0 {
		t.Errorf("%v: %s", err, complaints.String())
	}
	return out.String()
}

// TestTelnetInterrupt types into a telnet on a terminal, with Ctrl-C in the
// middle of a line, twice: telnet sends IP and DO TIMING-MARK and stays mute
// until that is answered.
func TestTelnetInterrupt(t *testing.T) {
	harness.Need(t, "telnet")
	harness.Need(t, "script")
	c := harness.Start(t, harness.Options{})
	host, port, err := net.SplitHostPort(c.Nodes[0].Text)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*harness.Limit)
	defer cancel()
	// script gives telnet a terminal, on which the byte 0x03 is the interrupt
	// key; telnet takes the signal and sends IP and DO TIMING-MARK.
	cmd := exec.CommandContext(ctx, "script", "-qec", "telnet "+host+" "+port, "/dev/null")
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := &watched{grown: make(chan struct{}, 1)}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, turn := range []struct{ keys, line, hear string }{
		{"", "", harness.Banner},
		{"", "PING first", "\nfirst"},
		{"garbage\x03", "PING second", "\nsecond"},
		{"more garbage\x03", "PING third", "\nthird"},
		{"", "QUIT", "\nBYE"},
	} {
		if _, err := io.WriteString(stdin, turn.keys); err != nil {
			t.Fatal(err)
		}
		// What is typed before telnet has seen the interrupt is dropped by the
		// terminal, and nothing tells when that is over: so it is typed again.
		harness.Eventually(t, turn.line, func() error {
			if _, err := io.WriteString(stdin, turn.line+"\n"); err != nil {
				return err
			}
			return out.waitFor(turn.hear, time.Second)
		})
	}
	if err := cmd.Wait(); exitCode(err) < 0 {
		t.Error(err)
	}
}
