package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"ciderd/internal/admin/api"
	"ciderd/internal/report"
)

// Status is the verb that says how a node is.
func Status() Verb {
	return Verb{
		Name: "status", Summary: "show the state of this node and its cluster", Group: ToANode, Facts: true,
		Text: `The exit code is 1 if the node does not serve reads or does not take writes.`,
		Run:  status,
	}
}

func status(c *Call) error {
	r, err := ask(c, api.Status, struct{}{})
	if err != nil {
		return err
	}
	if err := c.Print(r, func(w io.Writer) error { return writeFacts(w, &r) }); err != nil {
		return err
	}
	if why := r.NotWritable(); why != "" {
		return fmt.Errorf("%s is not healthy: %s", r.Node, why)
	}
	return nil
}

func writeFacts(out io.Writer, r *report.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for name, value := range r.Facts() {
		fmt.Fprintf(w, "%s\t%s\n", name, value)
	}
	return w.Flush()
}
