//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

// step is one command of a document, and what the document says that it prints.
type step struct {
	line    int // of the command, from 1
	command string
	output  []string
}

// transcript are the commands in a document: in its blocks, each line that begins with a dollar is one, and what follows
// is what it prints. A block without a command is an error, as nothing would hold it.
func transcript(t *testing.T, lines []string) (steps []step) {
	t.Helper()
	inside, commands := false, 0
	for i, line := range lines {
		command, is := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			if inside && commands == 0 {
				t.Fatalf("line %d: a block without a command ends here", i+1)
			}
			inside, commands = !inside, 0
		case inside && is:
			steps = append(steps, step{line: i + 1, command: command})
			commands++
		case inside && commands == 0:
			t.Fatalf("line %d: it stands in a block before any command", i+1)
		case inside:
			last := &steps[len(steps)-1]
			last.output = append(last.output, line)
		}
	}
	return steps
}

// rewritten is the document with other outputs, those of steps from the last one to the first.
func rewritten(lines []string, steps []step, printed map[int][]string) string {
	for i := len(steps) - 1; i >= 0; i-- {
		if out, changed := printed[steps[i].line]; changed {
			from := steps[i].line // the line behind the command
			rest := append([]string{}, lines[from+len(steps[i].output):]...)
			lines = append(append(lines[:from:from], out...), rest...)
		}
	}
	return strings.Join(lines, "\n")
}

// console is a bash that does one command after the other, as somebody who types them. What it has started ends with it,
// and it ends with the test, whatever ends that.
type console struct {
	t     *testing.T
	dir   string
	in    io.WriteCloser
	codes chan string // a line for each command that has ended
}

// newConsole starts one in dir, with dir/bin first in its PATH.
func newConsole(t *testing.T, dir string) *console {
	t.Helper()
	cmd := exec.Command("bash", "--norc", "--noprofile")
	cmd.Dir = dir
	cmd.Env = append(harness.CleanEnv(), "LC_ALL=C.UTF-8", "TZ=UTC", "HOME="+dir)
	in, codes := startTalking(t, cmd)
	return &console{t: t, dir: dir, in: in, codes: codes}
}

// startTalking starts a process that is spoken to in lines, and ends when there will be no more of them: with the test. The
// channel has the lines that it prints, and is closed behind the last one.
func startTalking(t *testing.T, cmd *exec.Cmd) (in io.WriteCloser, lines chan string) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines = make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		late := time.AfterFunc(harness.Limit, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		for range lines { // until it has ended
		}
		_ = cmd.Wait()
	})
	return in, lines
}

// run does one command, and returns what it has printed and its exit code.
func (s *console) run(command string) (printed string, code int) {
	s.t.Helper()
	script, output := filepath.Join(s.dir, ".step"), filepath.Join(s.dir, ".printed")
	if err := os.WriteFile(script, []byte(command+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	// The code is still $? for the next command.
	if _, err := fmt.Fprintf(s.in, ". %s >%s 2>&1 </dev/null; code=$?; echo $code; (exit $code)\n", script, output); err != nil {
		s.t.Fatal(err)
	}
	select {
	case line, runs := <-s.codes:
		code, err := strconv.Atoi(line)
		if !runs || err != nil {
			s.t.Fatalf("%s: the shell has ended, or says %q", command, line)
		}
		text, err := os.ReadFile(output)
		if err != nil {
			s.t.Fatal(err)
		}
		return string(text), code
	case <-time.After(2 * harness.Limit):
		text, _ := os.ReadFile(output)
		s.t.Fatalf("%s has not ended; it has printed %q", command, text)
	}
	return "", 0
}

// endsWithItsShell puts the daemon into dir/bin, so that it is killed when the shell that has started it ends.
func endsWithItsShell(t *testing.T, dir string) {
	t.Helper()
	harness.Need(t, "setpriv")
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o777); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("#!/bin/sh\nexec setpriv --pdeathsig KILL %s \"$@\"\n", harness.Binary(t))
	if err := os.WriteFile(filepath.Join(bin, "ciderd"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
