package torture

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"ciderd/internal/harness"
)

// operate runs a command of an operator's on a node's admin socket, as one would type it. An error
// carries what it printed and, as *exec.ExitError, its exit code.
func (n *node) operate(ctx context.Context, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, healLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.bin, append(words, "-config", n.config, "-node", n.name)...)
	cmd.Env = harness.CleanEnv()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ciderd %s on %s: %w: %s", strings.Join(words, " "), n.name, err, strings.TrimSpace(string(out)))
	}
	return strings.TrimSpace(string(out)), nil
}

// done runs a command until it says that it has done what it is for. What it says meanwhile is a
// refusal that passes: somebody has not caught up yet, another change is being made.
func (r *round) done(n *node, words ...string) error { return r.doneOr(n, "", words...) }

// doneOr takes a refusal with already in it for done, too; empty: none.
func (r *round) doneOr(n *node, already string, words ...string) error {
	if r.combined {
		said, err := n.operate(r.ctx, words...)
		if err != nil {
			said = err.Error()
		}
		r.say("%s: %s", strings.Join(words, " "), said)
		return nil
	}
	return until(r.ctx, healLimit, strings.Join(words, " "), func() error {
		said, err := n.operate(r.ctx, words...)
		if already != "" && err != nil && strings.Contains(err.Error(), already) {
			said, err = already, nil
		}
		if err == nil {
			r.say("%s: %s", strings.Join(words, " "), said)
		}
		return err
	})
}

// refused wants a command to be refused, for a reason with these words in it.
func (r *round) refused(n *node, reason string, words ...string) error {
	if r.combined {
		return nil
	}
	said, err := n.operate(r.ctx, words...)
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(err.Error(), reason) {
		return violationf("%s on %s: %q, %v; want a refusal with %q", strings.Join(words, " "), n.name, said, err, reason)
	}
	return nil
}

// lead makes n the leader, and sees that it is.
func (r *round) lead(n *node) error {
	if err := r.done(n, "transfer", n.name); err != nil || r.combined {
		return err
	}
	leader, err := r.cluster.leader()
	if err == nil && leader != n {
		err = violationf("%s said that it leads, and %s does", n.name, leader.name)
	}
	return err
}
