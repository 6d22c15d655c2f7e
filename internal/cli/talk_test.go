package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeNode answers as a node's text port does, to one user, and keeps what it was sent.
func fakeNode(t *testing.T) (address string, sent func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	lines := make(chan string, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, "LOGIN or SIGNUP")
			for in := bufio.NewScanner(conn); in.Scan(); {
				lines <- in.Text()
				switch in.Text() {
				case "LOGIN bob secret":
					fmt.Fprintln(conn, "Login successful")
				case "GET k":
					fmt.Fprintln(conn, "BYE now")
				case "QUIT":
					fmt.Fprintln(conn, "BYE")
					conn.Close()
				default:
					fmt.Fprintln(conn, "ERR AUTH_FAILED unknown user or wrong password")
				}
			}
			conn.Close()
		}
	}()
	return l.Addr().String(), func() (all string) {
		for len(lines) > 0 {
			all += <-lines + "\n"
		}
		return all
	}
}

// runTalk runs the verb with this as its standard input.
func runTalk(t *testing.T, input string, args ...string) (code int, out, errs string) {
	t.Helper()
	return runVerbs(t, []Verb{Talk()}, "cli", input, args...)
}

// runVerbs runs one of some verbs, with a file as its standard input.
func runVerbs(t *testing.T, verbs []Verb, name, input string, args ...string) (code int, out, errs string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var stdout, stderr bytes.Buffer
	p := &Program{Verbs: verbs, Default: name, In: in, Out: &stdout, Err: &stderr}
	code = p.Main(append([]string{name}, args...))
	return code, stdout.String(), stderr.String()
}

// One command: its reply alone is printed, and says how it ends.
func TestOneCommand(t *testing.T) {
	address, sent := fakeNode(t)
	if code, out, errs := runTalk(t, "secret\n", "-addr", address, "-user", "bob", "-c", "GET k"); code != 0 || out != "BYE now\n" || errs != "" {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	if got := sent(); got != "LOGIN bob secret\nGET k\nQUIT\n" {
		t.Errorf("it sends %q", got)
	}
	if code, out, errs := runTalk(t, "", "-addr", address, "-c", "SET k v"); code != 1 || !strings.HasPrefix(out, "ERR AUTH_FAILED") || errs != "" {
		t.Errorf("an error: %d, %q, %q", code, out, errs)
	}
	if code, out, errs := runTalk(t, "wrong\n", "-addr", address, "-user", "bob", "-c", "GET k"); code != 1 || out != "" || !strings.Contains(errs, "AUTH_FAILED") {
		t.Errorf("a wrong password: %d, %q, %q", code, out, errs)
	}
	for _, args := range [][]string{{"-addr", "nowhere"}, {"-user", "a b"}, {"-addr", address, "-c", "GET k\nFLUSH"}, {"-bad"}} {
		if code, _, _ := runTalk(t, "", args...); code != ExitUsage {
			t.Errorf("%q: code %d", args, code)
		}
	}
	if code, _, errs := runTalk(t, "", "-addr", "127.0.0.1:1"); code != 1 || !strings.Contains(errs, "refused") {
		t.Errorf("nobody there: %d %q", code, errs)
	}
}

// Standard input that is no terminal is sent as it is.
func TestPipedCommands(t *testing.T) {
	address, _ := fakeNode(t)
	code, out, errs := runTalk(t, "secret\nGET k\nQUIT\n", "-addr", address, "-user", "bob")
	if code != 0 || out != "BYE now\nBYE\n" || errs != "" {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
}

func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{"unr": "UNREGISTER ", "ge": "GET", "xyz": "xyz", "COUN": "COUNT "} {
		if got, pos, ok := complete(line, len(line), '\t'); got != want || pos != len(want) || !ok {
			t.Errorf("%s becomes %q, %d, %v; want %q", line, got, pos, ok, want)
		}
	}
	for _, key := range []rune{'x', ' '} {
		if _, _, ok := complete("ge", 2, key); ok {
			t.Errorf("%q completes", key)
		}
	}
	if _, _, ok := complete("GET k", 5, '\t'); ok {
		t.Error("a key is completed")
	}
}

// What may hold a password is in no history, on no disk.
func TestHistoryHasNoPasswords(t *testing.T) {
	h := &history{path: filepath.Join(t.TempDir(), "history")}
	for _, line := range []string{"GET a", "LOGIN bob secret", " login bob secret", "SIGNUP bob secret", "PASSWD secret other", "UNREGISTER secret", "", "GET a", "GET b"} {
		h.Add(line)
	}
	if h.Len() != 2 || h.At(0) != "GET b" || h.At(1) != "GET a" {
		t.Errorf("%q", h.lines)
	}
	if err := h.save(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(h.path)
	if err != nil || string(text) != "GET a\nGET b\n" {
		t.Errorf("%q, %v", text, err)
	}
	for range 2 * historyLines {
		h.Add("GET x")
		h.Add("GET y")
	}
	if h.Len() != historyLines {
		t.Errorf("%d lines", h.Len())
	}
}

func TestQuotedPasswords(t *testing.T) {
	if got := quoted(`a "b\`); got != `"a \"b\\"` {
		t.Error(got)
	}
}
