package torture

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"ciderd/internal/harness"
)

// remember keeps a round's user, and lets the oldest go once there are enough.
func (t *run) remember(u pastUser) error {
	if t.past = append(t.past, u); len(t.past) <= pastUsers {
		return nil
	}
	oldest := t.past[0]
	t.past = t.past[1:]
	if err := t.unchanged(oldest); err != nil {
		return err
	}
	return t.unregister(oldest.name)
}

// unchanged wants a past user's cache to be as it was when it was judged, on every node.
func (t *run) unchanged(u pastUser) error {
	s, err := t.cluster.readAll(u.name)
	if err == nil {
		err = u.judge(s)
	}
	return err
}

func (u pastUser) judge(s contents) error {
	if s.digest() != u.digest {
		return violationf("the cache of %s is not what it was when its round was over", u.name)
	}
	return nil
}

// unregister removes a user; one whose removal has an unknown end may be gone already.
func (t *run) unregister(user string) error {
	return until(t.ctx, healLimit, user+" goes", func() error {
		c, err := t.cluster.nodes[0].dial(user)
		if harness.Code(err) == "AUTH_FAILED" {
			return nil
		}
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_, err = c.do("UNREGISTER " + password)
		return err
	})
}

// warm notes what each process holds at the end of a round; of the first three, what it is compared
// with in the end.
func (t *run) warm() {
	for _, n := range t.cluster.nodes {
		u, err := n.usage()
		if err != nil {
			continue
		}
		t.levels.add(n.name, u)
		if t.deck.dealt <= 3 {
			old := t.base[n.name]
			t.base[n.name] = usage{u.pid, max(u.descriptors, old.descriptors), max(u.goroutines, old.goroutines), max(u.rss, old.rss)}
		}
	}
}

// atEnd judges what the whole run has left: past users, and what the processes hold.
func (t *run) atEnd() {
	if t.ctx.Err() != nil || t.broken != nil {
		return
	}
	var bad complaints
	for _, u := range t.past {
		bad.add(t.unchanged(u))
	}
	for _, n := range t.cluster.nodes {
		bad.add(t.grown(n))
	}
	for _, err := range t.levels.judge() {
		bad.add(err)
	}
	t.report.usage = append(t.report.usage, t.levels.lines()...)
	for _, n := range t.cluster.nodes {
		bad.add(goroutines(n))
	}
	errs, count := bad.all()
	for _, err := range errs {
		fmt.Fprintf(t.Out, "  VIOLATION at the end: %v\n", err)
	}
	if count > 0 {
		t.failed++
		t.report.atEnd = count
	}
}

// grown compares with the warm state, generously: rounds differ in what they leave.
func (t *run) grown(n *node) error {
	base, ok := t.base[n.name]
	if !ok {
		return nil
	}
	u, err := n.usage()
	if err != nil {
		return violationf("%s: %v", n.name, err)
	}
	t.report.usage = append(t.report.usage, fmt.Sprintf("%s: %d descriptors (%d when warm), %d MiB resident (%d)",
		n.name, u.descriptors, base.descriptors, u.rss>>20, base.rss>>20))
	if u.descriptors > 2*base.descriptors+64 || u.rss > 3*base.rss+512<<20 {
		return violationf("%s has grown: %d descriptors and %d MiB, from %d and %d MiB",
			n.name, u.descriptors, u.rss>>20, base.descriptors, base.rss>>20)
	}
	return nil
}

// mostGoroutines is far above what a node without clients has.
const mostGoroutines = 400

// goroutines counts them in the dump that SIGQUIT brings out of a Go program, as its end.
func goroutines(n *node) error {
	offset := n.logSize()
	if err := n.proc.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	if _, err := n.proc.ExitCode(30 * time.Second); err != nil {
		return violationf("%s after SIGQUIT: %v", n.name, err)
	}
	if count := strings.Count(n.logSince(offset), "\ngoroutine "); count > mostGoroutines {
		return violationf("%s has %d goroutines and no client", n.name, count)
	}
	return nil
}
