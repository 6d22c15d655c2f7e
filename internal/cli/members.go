package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"ciderd/internal/admin/api"
	"ciderd/internal/membership"
)

// Members are the verbs about the cluster's servers.
func Members() []Verb {
	return []Verb{
		{
			Name: "member list", Summary: "list the members as the leader sees them", Group: ToANode, Facts: true,
			Run: listMembers,
		},
		{
			Name: "member add", Args: "NAME", Summary: "let the empty node NAME in at once", Group: ToANode, Min: 1, Max: 1,
			Text: `It is let in by itself too, some seconds after it was started with an empty
data directory; this does not wait.`,
			Run: changing(membership.OpAdd),
		},
		{
			Name: "member remove", Args: "[-yes] NAME", Summary: "take NAME out; a leader hands over first", Group: ToANode,
			Min: 1, Max: 1, Flags: []Flag{{Name: "yes"}},
			Text: `What would cost the quorum is refused. With one voter left none may fail: that
wants -yes. If the node is to stay away, take it out of the file too.`,
			Run: changing(membership.OpRemove),
		},
		{
			Name: "member promote", Args: "NAME", Summary: "give NAME its vote, once it has caught up", Group: ToANode,
			Min: 1, Max: 1, Run: changing(membership.OpPromote),
		},
		{
			Name: "transfer", Args: "[NAME]", Summary: "hand leadership to NAME, or to the best node", Group: ToANode, Max: 1,
			Run: changing(membership.OpTransfer),
		},
	}
}

func changing(op string) func(*Call) error {
	return func(c *Call) error {
		name := append(c.Words, "")[0]
		return say(c, api.Change, api.ChangeRequest{Op: op, Name: name, Yes: c.Given("yes")})
	}
}

func listMembers(c *Call) error {
	list, err := ask(c, api.Members, struct{}{})
	if err != nil {
		return err
	}
	if err := c.Print(list, func(w io.Writer) error { return writeMembers(w, list.Members) }); err != nil {
		return err
	}
	switch {
	case list.NoLeader:
		return fmt.Errorf("%w: %s", api.ErrNoLeader, list.Warning)
	case list.Warning != "":
		return errors.New(list.Warning)
	}
	return nil
}

func writeMembers(out io.Writer, list []membership.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSERVER\tVOTE\tROLE\tALIVE\tLAST INDEX")
	for _, m := range list {
		server, role, alive, last := m.ServerID, "-", "no", "-"
		if server == "" {
			server = "-"
		}
		if m.Alive {
			alive, last = "yes", fmt.Sprint(m.LastIndex)
		}
		switch {
		case m.Leader:
			role = "leader"
		case m.Vote != membership.VoteAbsent:
			role = "follower"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, server, m.Vote, role, alive, last)
	}
	return w.Flush()
}
