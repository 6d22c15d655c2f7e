package cli

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"ciderd/internal/admin/api"
	"ciderd/internal/report"
)

// Top is the verb that shows the cluster and its busiest users, again and again.
func Top() Verb {
	return Verb{
		Name: "top", Args: "[-once]", Summary: "show the cluster and its busiest users, once a second", Group: ToANode,
		Flags: []Flag{{Name: "once"}},
		Text: `What status shows, and below it the users that have asked most of this node in the
last seconds. Any key ends it, but for Ctrl-L. -once prints it once, after the
seconds that it takes to count, and ends with the code that status has.`,
		Run: top,
	}
}

const (
	topEvery = time.Second
	// topCounts is how long the node needs between two questions to count what users ask.
	topCounts = 2100 * time.Millisecond
	// On the alternate screen, without a cursor; and back.
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
)

// topScreen is what is shown, and the names of the users that have been seen.
type topScreen struct {
	call  *Call
	names map[uint64]string
}

func top(c *Call) error {
	t := topScreen{call: c, names: map[uint64]string{}}
	if c.Given("once") {
		if _, err := ask(c, api.Past, struct{}{}); err != nil {
			return err
		}
		time.Sleep(topCounts)
		r, err := t.write(c.Out)
		if err != nil {
			return err
		}
		return exitOf(r)
	}
	in := int(c.In.Fd())
	before, err := term.MakeRaw(in)
	if err != nil {
		return Usage("top needs a terminal; -once does not")
	}
	fmt.Fprint(c.Out, enterScreen)
	defer func() {
		fmt.Fprint(c.Out, leaveScreen)
		_ = term.Restore(in, before)
	}()
	t.run()
	return nil
}

// run shows until a key is pressed.
func (t *topScreen) run() {
	keys := make(chan byte)
	go func() {
		defer close(keys)
		for b := make([]byte, 1); ; {
			if n, err := t.call.In.Read(b); n == 0 || err != nil {
				return
			}
			keys <- b[0]
		}
	}()
	tick := time.NewTicker(topEvery)
	defer tick.Stop()
	for {
		t.show()
		select {
		case key, ok := <-keys:
			if !ok || key != '\f' {
				return
			}
		case <-tick.C:
		}
	}
}

// show draws the screen, as much of it as there are rows.
func (t *topScreen) show() {
	var text bytes.Buffer
	if _, err := t.write(&text); err != nil {
		fmt.Fprintln(&text, err)
	}
	_, rows, err := term.GetSize(int(t.call.In.Fd()))
	if err != nil {
		rows = 24
	}
	fmt.Fprint(t.call.Out, "\x1b[H\x1b[2J")
	n := 0
	for line := range bytes.Lines(text.Bytes()) {
		if n++; n >= rows {
			return
		}
		fmt.Fprintf(t.call.Out, "%s\r\n", bytes.TrimRight(line, "\n"))
	}
}

// write writes what is shown.
func (t *topScreen) write(w io.Writer) (*report.Full, error) {
	r, err := ask(t.call, api.Status, struct{}{})
	if err != nil {
		return nil, err
	}
	past, err := ask(t.call, api.Past, struct{}{})
	if err != nil {
		return nil, err
	}
	writeStatus(w, &r)
	fmt.Fprintf(w, "\nbusiest users on %s\n", past.Node)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "USER\tSESSIONS\tREADS/S\tWRITES/S")
	for _, u := range past.Busiest {
		fmt.Fprintf(tab, "%s\t%d\t%.0f\t%.0f\n", t.name(u.User), u.Sessions, u.Reads, u.Writes)
	}
	if len(past.Busiest) == 0 {
		fmt.Fprintln(tab, "-\t-\t-\t-")
	}
	return &r, tab.Flush()
}

// name returns a user's name; without one the number.
func (t *topScreen) name(id uint64) string {
	if name := t.names[id]; name != "" {
		return name
	}
	page, err := ask(t.call, api.ListUsers, api.PageRequest{After: id - 1, Most: 1})
	if err != nil || len(page.Users) == 0 || page.Users[0].ID != id {
		return fmt.Sprintf("#%d", id)
	}
	t.names[id] = page.Users[0].Name
	return t.names[id]
}
