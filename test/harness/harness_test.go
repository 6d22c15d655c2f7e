package harness

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestThreadState(t *testing.T) {
	for stat, want := range map[string]string{
		"12 (ciderd) S 1 2 3":      "S",
		"12 (odd) name (x) T 1 2":  "T",
		"12 (a b) R (no) t 1":      "t",
		"12 (nothing behind it)":   "",
		"12 (ciderd) T 1 2 3 4\n ": "T",
	} {
		// The name ends at the last parenthesis, so the third case is what the
		// kernel would print for a command called "a b) R (no".
		if got := threadState(stat); got != want {
			t.Errorf("threadState(%q) = %q, want %q", stat, got, want)
		}
	}
}

func TestFreePortsDiffer(t *testing.T) {
	seen := make(map[int]bool)
	for range 20 {
		port := FreePort(t)
		if seen[port] {
			t.Fatalf("port %d twice", port)
		}
		seen[port] = true
		if _, ok := lockPort(port); ok {
			t.Fatalf("port %d is not locked", port)
		}
	}
}

func TestProcessPauseAndKill(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	p, err := StartProcess(sleep, t.TempDir(), log, nil, "1000")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Kill() }()
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := allStopped(p.cmd.Process.Pid); err != nil {
		t.Errorf("after Pause: %v", err)
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := p.Ended(); err == nil {
		t.Error("a process that sleeps counts as ended")
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Ended(); err != nil {
		t.Errorf("after Kill: %v", err)
	}
	if code, err := p.ExitCode(Limit); code != -1 || err != nil {
		t.Errorf("ExitCode = %d, %v; want -1 for a signal", code, err)
	}
	if err := allStopped(p.cmd.Process.Pid); err == nil {
		t.Error("a process that is gone counts as stopped")
	}
}

func TestAllTraced(t *testing.T) {
	if err := allTraced(os.Getpid()); err == nil {
		t.Error("this process is traced by nobody, and counts as traced")
	}
	if err := allTraced(1 << 30); err == nil {
		t.Error("a process that is gone counts as traced")
	}
}

// With more to be left free than there is, nothing is taken.
func TestFillLeavesWhatItShould(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ballast")
	if err := fill(path, 1<<62); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("%v, %v; want an empty file", info, err)
	}
}

func TestProcessExitCodeAndLog(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	p, err := StartProcess(shell, t.TempDir(), log, []string{"WORD=panic: oh"}, "-c", "echo $WORD; exit 7")
	if err != nil {
		t.Fatal(err)
	}
	if code, err := p.ExitCode(Limit); code != 7 || err != nil {
		t.Errorf("ExitCode = %d, %v; want 7", code, err)
	}
	if err := CheckLog(log); err == nil {
		t.Error("CheckLog does not see the panic")
	}
	if err := os.WriteFile(log, []byte("all well, secret\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := CheckLog(log); err != nil {
		t.Error(err)
	}
	if err := CheckLog(log, "secret"); err == nil {
		t.Error("CheckLog does not see the secret")
	}
}

// answer serves one connection: the banner, then a canned reply for each line.
func answer(t *testing.T, replies map[string]string) *Client {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write([]byte(Banner + "\n"))
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			_, _ = conn.Write([]byte(replies[lines.Text()]))
		}
	}()
	c, err := Dial(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		_ = ln.Close()
		<-done
	})
	return c
}

func TestClientReplies(t *testing.T) {
	c := answer(t, map[string]string{
		"GET a": "ERR\n", "GET b": "ERR TIMEOUT not known\n", "GET c": "ERR BUSY later\n",
		"KEYS": "a\nb\nMORE b\n", "STATUS": "role leader\nterm 3\nEND\n",
		"LOGIN u p": "Login successful\n",
	})
	if got, err := c.Do("GET a"); got != "ERR" || err != nil {
		t.Errorf("a value ERR: %q, %v", got, err)
	}
	_, err := c.Do("GET b")
	if Code(err) != "TIMEOUT" || OutcomeOf(err) != Unknown {
		t.Errorf("TIMEOUT: %v", err)
	}
	_, err = c.Do("GET c")
	if Code(err) != "BUSY" || OutcomeOf(err) != NotDone {
		t.Errorf("BUSY: %v", err)
	}
	if OutcomeOf(errors.New("cut")) != Unknown || OutcomeOf(nil) != Done {
		t.Error("outcome of a cut connection or of none")
	}
	lines, next, err := c.DoPage("KEYS")
	if strings.Join(lines, ",") != "a,b" || next != "b" || err != nil {
		t.Errorf("page: %q %q %v", lines, next, err)
	}
	if status, err := c.Status(); status["role"] != "leader" || status["term"] != "3" || err != nil {
		t.Errorf("status: %v, %v", status, err)
	}
	if err := c.Login("u", "p"); err != nil {
		t.Error(err)
	}
	replies, err := c.Pipeline("GET b", "GET a")
	if strings.Join(replies, "|") != "ERR TIMEOUT not known|ERR" || err != nil {
		t.Errorf("pipeline: %q, %v", replies, err)
	}
}
