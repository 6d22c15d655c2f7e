package torture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ciderd/internal/harness"
)

func diskFaults() []fault {
	return []fault{
		{name: "power-loss", how: "ext4's shutdown ioctl: at once on all nodes, all that was not synced is forgotten; kill -9, remount, start", act: powerLossAll},
		{name: "power-loss-one", how: "the same on one node", act: powerLossOne},
		{name: "disk-full", how: "a file takes the space away little by little (fallocate on the node's loop file system), under large writes", act: diskFull},
		{name: "disk-full-all", how: "the same on all nodes at once, down to 8 MiB", act: diskFullAll},
		{name: "disk-hang", how: "fsfreeze -f of the node's file system, thawed later", act: diskHang},
		{name: "disk-slow", how: "strace delays each fdatasync by 30 to 300 ms", hold: diskSlow, shortest: cutShort, longest: cutLong},
		{name: "fsync-error", how: "strace makes fdatasync and fsync return EIO", act: fsyncError},
		{name: "snapshot-install", how: "a follower is down while the others write more than they keep of the log", act: snapshotInstall},
		{name: "snapshot-live", how: "a follower is cut off, and serves reads, while the others write more than they keep of the log", act: snapshotLive},
		{name: "file-truncated", how: "raft.db or a snapshot of a stopped node loses its end", act: damage(truncateFile)},
		{name: "file-flipped", how: "bits of raft.db or a snapshot of a stopped node are turned over", act: damage(flipBits)},
	}
}

func powerLossAll(r *round) error { return powerLoss(r, r.cluster.nodes...) }

func powerLossOne(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	return powerLoss(r, n)
}

// powerLoss takes the disks first: nothing that is written after that counts.
func powerLoss(r *round, nodes ...*node) error {
	r.down(nodes...)
	var wg sync.WaitGroup
	errs := make([]error, len(nodes))
	for i, n := range nodes {
		n.mayEnd = true
		wg.Go(func() { errs[i] = n.disk.shutdown() })
	}
	wg.Wait()
	for _, n := range nodes {
		errs = append(errs, n.kill(), n.disk.remount())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.back(nodes...)
}

// diskFull wants the node to live on, and to serve reads.
func diskFull(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	strained(filled, r.cluster.nodes...)
	others := r.cluster.others(n)
	writes, seed := make(chan error, 1), r.random.Uint64()
	go func() { writes <- r.bigWrites(others[0], 120, seed) }()
	err = takeSpace(r, 1<<20, n)
	if done := tolerated(others[0], <-writes); err == nil {
		err = done
	}
	if err == nil {
		err = r.pass(2 * time.Second)
	}
	if err == nil && !n.running() {
		err = violationf("%s ended when its disk was full", n.name)
		n.mayEnd = true // this says it already
	}
	if err == nil {
		err = r.reads(n)
	}
	return err
}

// diskFullAll wants what makes the state grow to be refused, what makes it shrink to be done, and
// reads to be served.
func diskFullAll(r *round) error {
	strained(filled, r.cluster.nodes...)
	c, err := r.any().dial(r.load.user)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.expect("SET big:0 x", "OK"); err != nil {
		return violationf("before the disks are full: %v", err)
	}
	if err := takeSpace(r, 8<<20, r.cluster.nodes...); err != nil {
		return err
	}
	err = until(r.ctx, healLimit, "a write is refused", func() error {
		if _, err := c.do("SET big:1 x"); harness.Code(err) != "MEMORY_FULL" {
			return fmt.Errorf("SET: %v", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.pass(r.between(cutShort, cutLong)); err != nil {
		return err
	}
	if err := c.expect("DELETE big:0", "OK"); err != nil {
		return violationf("while the disks are full: %v", err)
	}
	for _, n := range r.cluster.nodes {
		if err := r.reads(n); err != nil {
			return err
		}
	}
	return nil
}

// takeSpace leaves less and less, down to end.
func takeSpace(r *round, end int64, nodes ...*node) error {
	const step = 4 << 20
	for left := int64(96 << 20); left > end; left -= step {
		for _, n := range nodes {
			if err := n.disk.fill(max(left, end)); err != nil && !strings.Contains(err.Error(), "No space") {
				return err
			}
		}
		if err := r.pass(300 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// diskHang wants the others to go on without the node. It may end itself, and is started again
// when the disk works.
func diskHang(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	n.mayEnd = true
	if err := n.disk.freeze(); err != nil {
		return err
	}
	err = r.flows(r.cluster.others(n)...)
	if err == nil {
		err = r.pass(r.between(cutShort, cutLong))
	}
	return errors.Join(err, n.disk.heal())
}

func diskSlow(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	strained(alone, n)
	delay := r.between(30*time.Millisecond, 300*time.Millisecond)
	r.say("%s: each fdatasync takes %v longer", n.name, delay.Round(time.Millisecond))
	return n.trace("fdatasync", fmt.Sprintf("delay_enter=%d", delay.Microseconds()))
}

// fsyncError wants the process to end at once: what was written is not known any more.
func fsyncError(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	n.mayEnd = true
	offset := n.logSize()
	if err := n.trace("fdatasync,fsync", "error=EIO"); err != nil {
		return err
	}
	err = until(r.ctx, healLimit, n.name+" ends after a failed fsync", func() error {
		if n.running() {
			return errors.New("it runs")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !r.combined {
		if err := n.endedClearly(offset, ""); err != nil {
			return err
		}
	}
	if err := r.flows(r.cluster.others(n)...); err != nil {
		return err
	}
	return errors.Join(n.untrace(), r.back(n))
}

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

// damage changes a file of a stopped node. The node may refuse to start, naming the file; or end
// later, when it meets the damage; or not meet it at all, and then whatever it serves is right.
func damage(change func(r *round, file string) error) func(*round) error {
	return func(r *round) error {
		n, err := r.target()
		if err != nil {
			return err
		}
		r.down(n)
		if err := n.kill(); err != nil {
			return err
		}
		file := filepath.Join(n.disk.data(), "raft.db")
		if s := n.snapshots(); len(s) > 0 && r.random.IntN(3) == 0 {
			file = filepath.Join(s[len(s)-1], "state.bin")
		}
		r.say("%s: damaging %s", n.name, file)
		if err := change(r, file); err != nil {
			return err
		}
		return n.judgeDamaged(r, file)
	}
}

func (n *node) judgeDamaged(r *round, file string) error {
	offset := n.logSize()
	if err := n.start(); err != nil {
		return err
	}
	err := until(r.ctx, healLimit, n.name+" serves or ends with a damaged "+filepath.Base(file), func() error {
		if !n.running() {
			return nil
		}
		return n.serving()
	})
	verdict := error(nil)
	switch {
	case !n.running():
		r.say("%s refused to go on", n.name)
		verdict = n.endedClearly(offset, n.disk.data())
	case err != nil && !r.combined:
		verdict = err
	default:
		r.say("%s serves with it", n.name)
	}
	if verdict == nil && !r.combined {
		verdict = r.flows(r.cluster.others(n)...)
	}
	// The way out, whatever it said: an empty directory. The damage must not be met in a later round.
	if err := errors.Join(n.kill(), n.disk.wipe()); err != nil {
		return err
	}
	return errors.Join(verdict, r.back(n))
}

func truncateFile(r *round, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.Truncate(file, int64(float64(info.Size())*(0.1+0.8*r.random.Float64())))
}

// flipBits turns one bit over in each of up to 256 places, all in blocks that are not empty.
func flipBits(r *round, file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Type()&fs.ModeType != 0 || info.Size() == 0 {
		return fmt.Errorf("%s is no file with contents", file)
	}
	var b [1]byte
	for turned, tries := 0, 0; turned < 256 && tries < 1<<16; tries++ {
		at := r.random.Int64N(info.Size())
		if _, err := f.ReadAt(b[:], at); err != nil {
			return err
		}
		if b[0] == 0 {
			continue
		}
		b[0] ^= 1 << r.random.UintN(8)
		if _, err := f.WriteAt(b[:], at); err != nil {
			return err
		}
		turned++
	}
	return f.Sync()
}
