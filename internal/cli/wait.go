package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"ciderd/internal/admin/api"
)

const (
	// waitTimeout is how long wait waits unless it is told.
	waitTimeout = time.Minute
	waitPoll    = 200 * time.Millisecond
	// waitSays is after what time a person is told what is waited for.
	waitSays = time.Second
)

// Wait is the verb that ends once something holds.
func Wait() Verb {
	return Verb{
		Name: "wait", Args: "-ready|-leader|-caught-up [-timeout D]", Summary: "for scripts: until that holds",
		Group: ToANode, Facts: true, Flags: []Flag{{Name: "ready"}, {Name: "leader"}, {Name: "caught-up"}, {Name: "timeout", Arg: "D"}},
		Text: `-ready      reads are served here, and it is not draining
-leader     this node knows a leader
-caught-up  reads here see every write that anybody was told OK for before this
-timeout D  give up after that time, 1m unless it says otherwise: 30s, 5m
It also waits for a node that has not been started yet.
Exit codes: 0 it holds, 1 it does not in time, 2 the same of -leader and
-caught-up while a node answers and knows no leader.`,
		Run: wait,
	}
}

// condition is what is waited for: holds says so in a line, or returns why it does not (yet).
type condition struct {
	flag  string
	holds func(*api.Client) (said string, err error)
	// leader: without a leader it never holds.
	leader bool
}

var conditions = []condition{{"ready", isReady, false}, {"leader", hasLeader, true}, {"caught-up", isCaughtUp, true}}

func isReady(client *api.Client) (string, error) {
	r, err := api.Node.Do(client, struct{}{})
	if err != nil {
		return "", err
	}
	if why := r.NotReady(); why != "" {
		return "", fmt.Errorf("%s is not ready: %s", r.Node, why)
	}
	return r.Node + " is ready", nil
}

func hasLeader(client *api.Client) (string, error) {
	r, err := leading(client)
	if err != nil {
		return "", err
	}
	return r.Leader + " leads", nil
}

func isCaughtUp(client *api.Client) (string, error) {
	done, err := api.Sync.Do(client, struct{}{})
	if err != nil { // perhaps only for want of time
		if _, none := leading(client); errors.Is(none, api.ErrNoLeader) {
			err = none
		}
	}
	return done.Said, err
}

// Held is what wait prints as JSON once it has ended.
type Held struct {
	For     string // ready, leader or caught-up
	Said    string // what wait says of it else
	Seconds float64
}

func wait(c *Call) error {
	until, limit, err := waitsFor(c)
	if err != nil {
		return err
	}
	begun, told := time.Now(), ""
	for {
		said, err := c.once(until, limit-time.Since(begun))
		if err == nil {
			held := Held{For: until.flag, Said: said, Seconds: time.Since(begun).Seconds()}
			return c.Print(held, func(w io.Writer) error { _, err := fmt.Fprintln(w, said); return err })
		}
		var wrong *configError
		if errors.As(err, &wrong) {
			return err
		}
		passed := time.Since(begun)
		if passed >= limit {
			return tooLate(until, limit, err)
		}
		if why := err.Error(); passed > waitSays && why != told && isTerminal(c.Err) {
			fmt.Fprintf(c.Err, "ciderd: waiting: %s\n", why)
			told = why
		}
		time.Sleep(min(waitPoll, limit-passed))
	}
}

// once looks once, for at most that long. The socket is looked for each time: it may be made only now.
func (c *Call) once(until condition, most time.Duration) (string, error) {
	client, err := c.Client()
	if err != nil {
		return "", err
	}
	client.Progress = nil
	client.Within(max(most, waitPoll))
	return until.holds(client)
}

// tooLate makes the last reason the error.
func tooLate(until condition, limit time.Duration, err error) error {
	if !until.leader && errors.Is(err, api.ErrNoLeader) {
		return fmt.Errorf("not within %v: %v", limit, err)
	}
	return fmt.Errorf("not within %v: %w", limit, err)
}

// waitsFor returns what is waited for, and how long.
func waitsFor(c *Call) (until condition, limit time.Duration, err error) {
	limit = waitTimeout
	for _, one := range conditions {
		if !c.Given(one.flag) {
			continue
		}
		if until.flag != "" {
			return until, 0, Usage("-%s or -%s, not both", until.flag, one.flag)
		}
		until = one
	}
	if until.flag == "" {
		return until, 0, Usage("for what? -ready, -leader or -caught-up")
	}
	if c.Given("timeout") {
		if limit, err = c.duration("timeout"); err != nil {
			return until, 0, err
		}
	}
	return until, limit, nil
}

// duration returns a flag that is a time above 0.
func (c *Call) duration(flag string) (time.Duration, error) {
	d, err := time.ParseDuration(c.values[flag])
	if err != nil || d <= 0 {
		return 0, Usage("-%s %q is not a time above 0, like 30s or 5m", flag, c.values[flag])
	}
	return d, nil
}
