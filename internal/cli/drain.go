package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"ciderd/internal/admin/api"
)

const (
	// drainTimeout is how long drain waits unless it is told.
	drainTimeout = 30 * time.Second
	drainPoll    = 100 * time.Millisecond
	// drainLeader is how long drain waits for a leader to be known: an election is shorter.
	drainLeader = 3 * time.Second
)

// Drain are the verbs that take a node out of traffic, and back into it.
func Drain() []Verb {
	return []Verb{
		{
			Name: "drain", Args: "[-timeout D]", Summary: "take the node out of traffic: before a restart", Group: ToANode, Facts: true,
			Flags: []Flag{{Name: "timeout", Arg: "D"}},
			Text: `The node is not ready from then on, and leadership goes to another one. Clients
are sent away between two commands, and so are new ones. It waits until all
have gone, 30s unless -timeout says otherwise; if some have not, it says how
many, and the node goes on draining. A restart, or ciderd undrain, ends it.`,
			Run: drain,
		},
		{
			Name: "undrain", Summary: "take clients again", Group: ToANode, Facts: true,
			Run: undrain,
		},
	}
}

func undrain(c *Call) error {
	state, err := ask(c, api.Drain, api.DrainRequest{On: false})
	if err != nil {
		return err
	}
	return c.printDraining(&state, state.Node+" takes clients again")
}

// printDraining prints how a node is that drains or has, in a sentence; as JSON its facts.
func (c *Call) printDraining(state *api.Draining, said string) error {
	return c.Print(state, func(w io.Writer) error { _, err := fmt.Fprintln(w, said); return err })
}

func drain(c *Call) error {
	limit := drainTimeout
	if c.Given("timeout") {
		var err error
		if limit, err = c.duration("timeout"); err != nil {
			return err
		}
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	begun, told := time.Now(), time.Now()
	state, err := api.Drain.Do(client, api.DrainRequest{On: true})
	for ; err == nil; state, err = api.Drained.Do(client, struct{}{}) {
		passed := time.Since(begun)
		switch {
		case !state.Draining:
			return errors.New("somebody has ended this: the node takes clients again, or was restarted")
		case isDrained(&state, passed):
			return c.printDraining(&state, fmt.Sprintf("%s is drained: no client is left; %s", state.Node, whoLeads(&state)))
		case passed >= limit:
			if c.Given("json") { // how it is now, beside the error
				err = c.printDraining(&state, "")
			}
			return errors.Join(err, notDrained(&state, limit))
		case time.Since(told) > time.Second && isTerminal(c.Err):
			fmt.Fprintf(c.Err, "ciderd: %s; %s\n", clientsLeft(state.Left), whoLeads(&state))
			told = time.Now()
		}
		time.Sleep(drainPoll)
	}
	return err
}

// isDrained reports whether nothing is left to wait for, after that time. No leader is no reason to wait for long: it is
// not this node.
func isDrained(s *api.Draining, passed time.Duration) bool {
	return s.Left == 0 && (!s.Leads || s.Alone) && (s.Leader != "" || passed > drainLeader)
}

func notDrained(s *api.Draining, limit time.Duration) error {
	what := clientsLeft(s.Left)
	if s.Leads && !s.Alone {
		what += ", and it still leads"
	}
	return fmt.Errorf("%s is not drained after %v: %s; it goes on draining", s.Node, limit, what)
}

func clientsLeft(n int) string {
	if n == 1 {
		return "1 connection is left"
	}
	return fmt.Sprintf("%d connections are left", n)
}

func whoLeads(s *api.Draining) string {
	switch {
	case s.Leads && s.Alone:
		return "it leads on, as there is no other voter"
	case s.Leads:
		return "it still leads"
	case s.Leader == "":
		return "no leader is known"
	}
	return s.Leader + " leads"
}
