package faults

import (
	"errors"
	"os/exec"
	"strings"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// done runs a command until it says that it has done what it is for. What it says meanwhile is a
// refusal that passes: somebody has not caught up yet, another change is being made.
func (r *Round) done(n *rig.Node, words ...string) error { return r.doneOr(n, "", words...) }

// doneOr takes a refusal with already in it for done, too; empty: none.
func (r *Round) doneOr(n *rig.Node, already string, words ...string) error {
	if r.Combined {
		said, err := n.Operate(r.Ctx, words...)
		if err != nil {
			said = err.Error()
		}
		r.Say("%s: %s", strings.Join(words, " "), said)
		return nil
	}
	return rig.Until(r.Ctx, rig.HealLimit, strings.Join(words, " "), func() error {
		said, err := n.Operate(r.Ctx, words...)
		if already != "" && err != nil && strings.Contains(err.Error(), already) {
			said, err = already, nil
		}
		if err == nil {
			r.Say("%s: %s", strings.Join(words, " "), said)
		}
		return err
	})
}

// refused wants a command to be refused, for a reason with these words in it.
func (r *Round) refused(n *rig.Node, reason string, words ...string) error {
	if r.Combined {
		return nil
	}
	said, err := n.Operate(r.Ctx, words...)
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(err.Error(), reason) {
		return judge.Violationf("%s on %s: %q, %v; want a refusal with %q", strings.Join(words, " "), n.Name, said, err, reason)
	}
	return nil
}

// lead makes n the leader, and sees that it is.
func (r *Round) lead(n *rig.Node) error {
	if err := r.done(n, "transfer", n.Name); err != nil || r.Combined {
		return err
	}
	leader, err := r.Cluster.Leader()
	if err == nil && leader != n {
		err = judge.Violationf("%s said that it leads, and %s does", n.Name, leader.Name)
	}
	return err
}
