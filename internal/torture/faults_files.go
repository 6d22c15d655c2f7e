package torture

import (
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// endedClearly wants the log of a process that has ended to say why, in words, naming what.
func (n *node) endedClearly(offset int64, what string) error {
	text := n.logSince(offset)
	for _, sign := range []string{"panic:", "fatal error:", "SIGBUS", "goroutine 1 ["} {
		if strings.Contains(text, sign) {
			return violationf("%s ended by %q instead of a clear last line", n.name, sign)
		}
	}
	if what != "" && !strings.Contains(text, what) {
		return violationf("%s ended without naming %s; its last line: %.300s", n.name, what, n.lastLine(offset))
	}
	return nil
}

// forPerson is the exit code of a node whose data directory needs a person.
const forPerson = 65

// needsPerson wants a process that has ended to have had that exit code.
func (n *node) needsPerson() error {
	code, err := n.proc.ExitCode(time.Second)
	if err == nil && code != forPerson {
		err = violationf("%s ended with exit code %d; want %d", n.name, code, forPerson)
	}
	return err
}

// snapshotInstall keeps a follower away until its place in the log is gone, and lets it catch up
// under load.
func snapshotInstall(r *round) error {
	n, err := r.follower()
	if err != nil {
		return err
	}
	r.down(n)
	if err := n.kill(); err != nil {
		return err
	}
	before := n.newestSnapshot()
	if err := r.outrun(n); err != nil {
		return err
	}
	err = r.back(n)
	r.say("%s: snapshot %q, before it %q", n.name, n.newestSnapshot(), before)
	return err
}

// snapshotLive has the snapshot put in place under the eyes of clients: they must never see less
// than before, nor anything in between.
func snapshotLive(r *round) error {
	n, err := r.follower()
	if err != nil {
		return err
	}
	strained(alone, n)
	for _, other := range r.cluster.others(n) {
		if err := cut(n.link, other.link); err != nil {
			return err
		}
	}
	before := n.newestSnapshot()
	if err := r.outrun(n); err != nil {
		return err
	}
	for _, other := range r.cluster.nodes {
		if err := other.link.heal(); err != nil {
			return err
		}
	}
	err = r.flows()
	r.say("%s: snapshot %q, before it %q", n.name, n.newestSnapshot(), before)
	return err
}

// outrun writes until the others have nothing of the log any more that n needs next. The log that a
// snapshot leaves behind goes back to about the one before it: after three, what was written
// before the first is gone.
func (r *round) outrun(n *node) error {
	writer := r.cluster.others(n)[0]
	const most = 40 // times 50 values, in case that snapshots fail
	for taken, last, i := 0, writer.newestSnapshot(), 0; taken < 3 && i < most; i++ {
		if err := r.bigWrites(writer, 50, r.random.Uint64()); err != nil {
			return tolerated(writer, err)
		}
		if newest := writer.newestSnapshot(); newest != last {
			taken, last = taken+1, newest
		}
	}
	return nil
}

// snapshots lists the node's finished snapshots, oldest first.
func (n *node) snapshots() []string {
	all, err := filepath.Glob(filepath.Join(n.disk.data(), "snapshots", "*"))
	if err != nil {
		return nil
	}
	var done []string
	for _, dir := range all {
		if !strings.HasSuffix(dir, ".tmp") {
			done = append(done, dir)
		}
	}
	// term-index-milliseconds: the last is what sorts.
	slices.SortFunc(done, func(a, b string) int {
		return strings.Compare(a[strings.LastIndexByte(a, '-')+1:], b[strings.LastIndexByte(b, '-')+1:])
	})
	return done
}

// newestSnapshot is its name; empty: none.
func (n *node) newestSnapshot() string {
	s := n.snapshots()
	if len(s) == 0 {
		return ""
	}
	return filepath.Base(s[len(s)-1])
}
