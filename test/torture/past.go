package torture

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"ciderd/test/harness"
	"ciderd/test/torture/faults"
	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// remember keeps a round's user, and lets the oldest go once there are enough.
func (t *run) remember(u faults.PastUser) error {
	if t.past = append(t.past, u); len(t.past) <= pastUsers {
		return nil
	}
	return t.forgetOldest()
}

// forgetOldest lets the oldest past user go, unchanged.
func (t *run) forgetOldest() error {
	oldest := t.past[0]
	t.past = t.past[1:]
	if err := t.unchanged(oldest); err != nil {
		return err
	}
	return t.unregister(oldest.Name)
}

// forgetAll lets all past users go: those of rounds without a limit may have more than a limit allows, and with
// when_full = reject nobody could even sign up.
func (t *run) forgetAll() error {
	var errs []error
	for len(t.past) > 0 {
		errs = append(errs, t.forgetOldest())
	}
	return errors.Join(errs...)
}

// unchanged wants a past user's cache to be as it was when it was judged, on every node.
func (t *run) unchanged(u faults.PastUser) error {
	s, share, err := t.cluster.ReadShared(u.Name)
	if err == nil {
		err = u.Judge(s, share)
	}
	return err
}

// unregister removes a user; one whose removal has an unknown end may be gone already.
func (t *run) unregister(user string) error {
	return rig.Until(t.ctx, rig.HealLimit, user+" goes", func() error {
		c, err := t.cluster.Nodes[0].Dial(user)
		if harness.Code(err) == "AUTH_FAILED" {
			return nil
		}
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_, err = c.Do("UNREGISTER " + rig.Password)
		return err
	})
}

// warm notes what each process holds at the end of a round; of the first three, what it is compared
// with in the end.
func (t *run) warm() {
	for _, n := range t.cluster.Nodes {
		u, err := n.Usage()
		if err != nil {
			continue
		}
		t.levels.Add(n.Name, u)
		if t.deck.dealt <= 3 {
			old := t.base[n.Name]
			t.base[n.Name] = judge.Usage{
				Pid: u.Pid, Descriptors: max(u.Descriptors, old.Descriptors),
				Goroutines: max(u.Goroutines, old.Goroutines), RSS: max(u.RSS, old.RSS),
			}
		}
	}
}

// atEnd judges what the whole run has left: past users, and what the processes hold.
func (t *run) atEnd() {
	if t.ctx.Err() != nil || t.broken != nil {
		return
	}
	var bad judge.Complaints
	for _, u := range t.past {
		bad.Add(t.unchanged(u))
	}
	for _, n := range t.cluster.Nodes {
		bad.Add(t.grown(n))
	}
	for _, err := range t.levels.Judge() {
		bad.Add(err)
	}
	t.report.usage = append(t.report.usage, t.levels.Lines()...)
	for _, n := range t.cluster.Nodes {
		bad.Add(goroutines(n))
	}
	errs, count := bad.All()
	for _, err := range errs {
		fmt.Fprintf(t.Out, "  VIOLATION at the end: %v\n", err)
	}
	if count > 0 {
		t.failed++
		t.report.atEnd = count
	}
}

// grown compares with the warm state, generously: rounds differ in what they leave.
func (t *run) grown(n *rig.Node) error {
	base, ok := t.base[n.Name]
	if !ok {
		return nil
	}
	u, err := n.Usage()
	if err != nil {
		return judge.Violationf("%s: %v", n.Name, err)
	}
	t.report.usage = append(t.report.usage, fmt.Sprintf("%s: %d descriptors (%d when warm), %d MiB resident (%d)",
		n.Name, u.Descriptors, base.Descriptors, u.RSS>>20, base.RSS>>20))
	if u.Descriptors > 2*base.Descriptors+64 || u.RSS > 3*base.RSS+512<<20 {
		return judge.Violationf("%s has grown: %d descriptors and %d MiB, from %d and %d MiB",
			n.Name, u.Descriptors, u.RSS>>20, base.Descriptors, base.RSS>>20)
	}
	return nil
}

// mostGoroutines is far above what a node without clients has.
const mostGoroutines = 400

// goroutines counts them in the dump that SIGQUIT brings out of a Go program, as its end.
func goroutines(n *rig.Node) error {
	offset := n.Log.Size()
	if err := n.Proc.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	if _, err := n.Proc.ExitCode(30 * time.Second); err != nil {
		return judge.Violationf("%s after SIGQUIT: %v", n.Name, err)
	}
	if count := strings.Count(n.Log.Since(offset), "\ngoroutine "); count > mostGoroutines {
		return judge.Violationf("%s has %d goroutines and no client", n.Name, count)
	}
	return nil
}
