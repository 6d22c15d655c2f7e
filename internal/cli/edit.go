package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"ciderd/internal/protocol"
)

const (
	prompt        = "ciderd> "
	historyLines  = 500
	reconnectMost = 5 * time.Second
)

// secrets are the commands whose lines are not kept, as a password may stand in them.
var secrets = []string{"login", "signup", "passwd", "unregister"}

// interact is a conversation with a person.
func (t *talker) interact() error {
	if err := t.connect(); err != nil {
		return err
	}
	in := int(t.call.In.Fd())
	before, err := term.MakeRaw(in)
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(in, before) }()
	screen := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{t.call.In, t.out}, prompt)
	history := loadHistory()
	screen.History, screen.AutoCompleteCallback = history, complete
	if w, h, err := term.GetSize(in); err == nil {
		_ = screen.SetSize(w, h)
	}
	if t.user == "" {
		fmt.Fprintln(screen, "LOGIN or SIGNUP (HELP lists the commands; Ctrl-D ends)")
	}
	ended := t.show(screen)
	for {
		line, err := screen.ReadLine()
		if err != nil {
			return history.save() // Ctrl-D, Ctrl-C
		}
		if line, err = t.complement(screen, line); err != nil {
			return history.save()
		}
		select {
		case <-ended:
			if err := t.again(screen); err != nil {
				return err
			}
			ended = t.show(screen)
		default:
		}
		if _, err := fmt.Fprintf(t.conn, "%s\n", line); err != nil {
			fmt.Fprintln(screen, "not sent:", err) // that the connection has ended is seen at the next line
		}
		if strings.EqualFold(strings.TrimSpace(line), "quit") {
			<-ended
			return history.save()
		}
	}
}

// complement asks for the passwords that a line lacks, so that they are not shown.
func (t *talker) complement(screen *term.Terminal, line string) (string, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return line, nil
	}
	verb := strings.ToLower(words[0])
	switch {
	case (verb == "login" || verb == "signup") && len(words) == 2:
		password, err := screen.ReadPassword("Password: ")
		t.user, t.password = words[1], password
		return line + " " + password, err
	case verb == "passwd" && len(words) == 1:
		old, err := screen.ReadPassword("Old password: ")
		if err != nil {
			return "", err
		}
		next, err := screen.ReadPassword("New password: ")
		return fmt.Sprintf("PASSWD %s %s", quoted(old), quoted(next)), err
	case verb == "logout", verb == "login", verb == "signup", verb == "passwd", verb == "unregister":
		t.user, t.password = "", "" // who it is from now on is not known here
	}
	return line, nil
}

// quoted is a password as a word of a line.
func quoted(password string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(password) + `"`
}

// show prints what the node says, until the connection ends.
func (t *talker) show(screen io.Writer) <-chan struct{} {
	ended := make(chan struct{})
	in := t.in
	go func() {
		defer close(ended)
		for {
			line, err := in.ReadString('\n')
			if line != "" {
				fmt.Fprintln(screen, strings.TrimRight(line, "\r\n"))
			}
			if err != nil {
				return
			}
		}
	}()
	return ended
}

// again connects anew until that works, or the node refuses.
func (t *talker) again(screen io.Writer) error {
	fmt.Fprintln(screen, "the connection is lost; connecting again")
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, reconnectMost) {
		t.conn.Close()
		err := t.connect()
		if err == nil {
			if t.user == "" {
				fmt.Fprintln(screen, "LOGIN or SIGNUP")
			}
			return nil
		}
		if strings.HasPrefix(err.Error(), "ERR AUTH_FAILED") {
			return err
		}
		fmt.Fprintln(screen, err)
		time.Sleep(wait)
	}
}

// complete completes a command's name at the tab key.
func complete(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' || strings.ContainsAny(line[:pos], " \t") {
		return "", 0, false
	}
	var found []string
	for _, c := range protocol.Commands() {
		if strings.HasPrefix(c.Name, strings.ToUpper(line[:pos])) {
			found = append(found, c.Name)
		}
	}
	if len(found) == 0 {
		return line, pos, true
	}
	common := found[0]
	for _, name := range found[1:] {
		for !strings.HasPrefix(name, common) {
			common = common[:len(common)-1]
		}
	}
	if len(found) == 1 {
		common += " "
	}
	return common + line[pos:], len(common), true
}

// history is the lines that were typed, the last one last, without those that may have a password.
type history struct {
	path  string // empty: it is kept nowhere
	lines []string
}

// loadHistory reads what earlier conversations have left.
func loadHistory() *history {
	h := &history{}
	home, err := os.UserHomeDir()
	if err != nil {
		return h
	}
	h.path = filepath.Join(home, ".ciderd_history")
	if f, err := os.Open(h.path); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			h.Add(s.Text())
		}
	}
	return h
}

// Add implements term.History.
func (h *history) Add(line string) {
	verb, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	if verb == "" || slices.Contains(secrets, strings.ToLower(verb)) || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > historyLines {
		h.lines = h.lines[1:]
	}
}

// Len implements term.History.
func (h *history) Len() int { return len(h.lines) }

// At implements term.History: 0 is the last line.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

// save keeps the lines for the next conversation, for this user only.
func (h *history) save() error {
	if h.path == "" || len(h.lines) == 0 {
		return nil
	}
	err := os.WriteFile(h.path, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		return nil // a home that is not writable is no reason to fail
	}
	return err
}
