package cli

import (
	"fmt"
	"io"

	"ciderd/internal/admin/api"
	"ciderd/internal/report"
)

// Leader is the verb that says who leads.
func Leader() Verb {
	return Verb{
		Name: "leader", Summary: "print the name of the node that leads", Group: ToANode, Facts: true,
		Text: `It is what the node that is asked knows.
Exit codes: 2 it knows no leader, 1 no node answers.`,
		Run: leader,
	}
}

// leads is what the verb prints as JSON.
type leads struct {
	Leader string
	Term   uint64
	Node   string // which has been asked
}

func leader(c *Call) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	r, err := leading(client)
	if err != nil {
		return err
	}
	return c.Print(leads{Leader: r.Leader, Term: r.Term, Node: r.Node}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, r.Leader)
		return err
	})
}

// leading returns the report of a node that knows a leader. The error wraps api.ErrNoLeader if it knows none.
func leading(client *api.Client) (r report.Report, err error) {
	r, err = api.Node.Do(client, struct{}{})
	switch {
	case err != nil || r.Leader != "":
		return r, err
	case r.Waiting != "":
		return r, fmt.Errorf("%w: %s says: %s", api.ErrNoLeader, r.Node, r.Waiting)
	}
	return r, fmt.Errorf("%w that %s knows of", api.ErrNoLeader, r.Node)
}
