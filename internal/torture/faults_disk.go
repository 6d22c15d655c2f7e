package torture

import (
	"errors"
	"fmt"
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
		{name: "disk-hang-end", how: "fsfreeze -f of the node's file system, thawed when its process is over but for what the disk holds", act: diskHangEnd},
		{name: "disk-slow", how: "strace delays each fdatasync by 30 to 300 ms", hold: diskSlow, shortest: cutShort, longest: cutLong},
		{name: "fsync-error", how: "strace makes fdatasync and fsync return EIO", act: fsyncError},
		{name: "snapshot-install", how: "a follower is down while the others write more than they keep of the log", act: snapshotInstall},
		{name: "snapshot-live", how: "a follower is cut off, and serves reads, while the others write more than they keep of the log", act: snapshotLive},
		{name: "file-truncated", how: "raft.db, or a snapshot or its description, of a stopped node loses its end", act: damage(truncateFile)},
		{name: "file-flipped", how: "one bit, or many, of raft.db (its meta pages above all), or of a snapshot or its description, of a stopped node are turned over", act: damage(flipBits)},
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
	if err := mend(r, nodes...); err != nil { // an earlier round may have ended in the middle
		return err
	}
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
