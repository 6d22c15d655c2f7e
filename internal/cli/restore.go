package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"ciderd/internal/admin/api"
	"ciderd/internal/report"
)

func restore(c *Call) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	f, err := os.Open(c.Words[0])
	if err != nil {
		return err
	}
	defer f.Close()
	q := api.RestoreRequest{User: c.values["user"], Replace: c.Given("replace"), Partial: c.Given("partial"), Check: true}
	plan, err := c.send(client, f, q)
	if err != nil {
		return err
	}
	if c.Given("dry-run") {
		return c.Print(plan, func(w io.Writer) error { return writePlan(w, &plan) })
	}
	if !c.Given("yes") {
		if err := writePlan(c.Err, &plan); err != nil {
			return err
		}
		if err := c.confirm(plan.Cluster); err != nil {
			return err
		}
	}
	q.Check = false
	done, err := c.send(client, f, q)
	if err != nil {
		return err
	}
	of, from := &done.Contents, plan.Contents
	of.Cluster, of.Node, of.Release, of.Time = from.Cluster, from.Node, from.Release, from.Time
	return c.Print(done, func(w io.Writer) error {
		fmt.Fprintf(w, "restored %s with %s; %s\n", report.Plural(of.Users, "user"), report.Plural(of.Items, "key"), leftOut(&done))
		return nil
	})
}

// send hands the file to the node, from its beginning.
func (c *Call) send(client *api.Client, f *os.File, q api.RestoreRequest) (api.Restored, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return api.Restored{}, err
	}
	return client.Restore(c.watched(f, size), q)
}

// confirm asks for the cluster's name.
func (c *Call) confirm(cluster string) error {
	if term.IsTerminal(int(c.In.Fd())) {
		fmt.Fprint(c.Err, "Type the name of the cluster that this is done to: ")
	}
	typed, err := bufio.NewReader(io.LimitReader(c.In, 1<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the name: %w", err)
	}
	switch typed = strings.TrimSpace(typed); typed {
	case cluster:
		return nil
	case "":
		return Usage("nobody can be asked for the cluster's name: say -yes, or write it to standard input; nothing was done")
	}
	return fmt.Errorf("that is another name than that of the cluster, %s; nothing was done", cluster)
}

func writePlan(w io.Writer, p *api.Restored) error {
	from := p.Contents
	fmt.Fprintf(w, "from    %s, node %s, ciderd %s, of %s\n", from.Cluster, from.Node, from.Release, when(from.Time))
	fmt.Fprintf(w, "to      %s\n", p.Cluster)
	fmt.Fprintf(w, "holds   %s with %s, %s; %s\n", report.Plural(from.Users, "user"), report.Plural(from.Items, "key"), report.Bytes(from.Bytes), leftOut(p))
	if p.Replaces > 0 {
		fmt.Fprintf(w, "LOST    all that %s of these now have\n", report.Plural(p.Replaces, "user"))
	}
	for _, text := range p.Misfits {
		fmt.Fprintf(w, "part    %s\n", text)
	}
	return nil
}

// leftOut says what of a backup is left out.
func leftOut(r *api.Restored) string {
	text := "left out: " + report.Plural(r.Expired, "expired key")
	if r.Skipped > 0 {
		text += fmt.Sprintf(", %d that did not fit", r.Skipped)
	}
	return text
}
