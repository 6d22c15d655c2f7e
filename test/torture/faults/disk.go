package faults

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"ciderd/test/harness"
	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

func diskFaults() []Fault {
	return []Fault{
		{Name: "power-loss", How: "ext4's shutdown ioctl: at once on all nodes, all that was not synced is forgotten; kill -9, remount, start", Act: powerLossAll},
		{Name: "power-loss-one", How: "the same on one node", Act: powerLossOne},
		{Name: "disk-full", How: "a file takes the space away little by little (fallocate on the node's loop file system), under large writes", Act: diskFull},
		{Name: "disk-full-all", How: "the same on all nodes at once, down to 8 MiB", Act: diskFullAll},
		{Name: "disk-hang", How: "fsfreeze -f of the node's file system, thawed later", Act: diskHang},
		{Name: "disk-hang-end", How: "fsfreeze -f of the node's file system, thawed when its process is over but for what the disk holds", Act: diskHangEnd},
		{Name: "disk-slow", How: "strace delays each fdatasync by 30 to 300 ms", Hold: diskSlow, Shortest: cutShort, Longest: cutLong},
		{Name: "fsync-error", How: "strace makes fdatasync and fsync return EIO", Act: fsyncError},
		{Name: "snapshot-install", How: "a follower is down while the others write more than they keep of the log", Act: snapshotInstall},
		{Name: "snapshot-live", How: "a follower is cut off, and serves reads, while the others write more than they keep of the log", Act: snapshotLive},
		{Name: "file-truncated", How: "raft.db, a file of the journal, or a snapshot or its description, of a stopped node loses its end", Act: damage(truncateFile)},
		{Name: "file-flipped", How: "one bit, or many, of raft.db (its meta pages above all), of a file of the journal, or of a snapshot or its description, of a stopped node are turned over", Act: damage(flipBits)},
	}
}

func powerLossAll(r *Round) error { return powerLoss(r, r.Cluster.Nodes...) }

func powerLossOne(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	return powerLoss(r, n)
}

// powerLoss takes the disks first: nothing that is written after that counts.
func powerLoss(r *Round, nodes ...*rig.Node) error {
	if err := mend(r, nodes...); err != nil { // an earlier round may have ended in the middle
		return err
	}
	r.down(nodes...)
	var wg sync.WaitGroup
	errs := make([]error, len(nodes))
	for i, n := range nodes {
		n.MayEnd = true
		wg.Go(func() { errs[i] = n.Disk.Shutdown() })
	}
	wg.Wait()
	for _, n := range nodes {
		errs = append(errs, n.Kill(), n.Disk.Remount())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.back(nodes...)
}

// diskFull wants the node to live on, and to serve reads.
func diskFull(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	rig.Strained(judge.Filled, r.Cluster.Nodes...)
	others := r.Cluster.Others(n)
	writes, seed := make(chan error, 1), r.Random.Uint64()
	go func() { writes <- r.bigWrites(others[0], 120, seed) }()
	err = takeSpace(r, 1<<20, n)
	if done := tolerated(others[0], <-writes); err == nil {
		err = done
	}
	if err == nil {
		err = r.Pass(2 * time.Second)
	}
	if err == nil && !n.Running() {
		err = judge.Violationf("%s ended when its disk was full", n.Name)
		n.MayEnd = true // this says it already
	}
	if err == nil {
		err = r.reads(n)
	}
	return err
}

// diskFullAll wants what makes the state grow to be refused, what makes it shrink to be done, and
// reads to be served.
func diskFullAll(r *Round) error {
	rig.Strained(judge.Filled, r.Cluster.Nodes...)
	c, err := r.any().Dial(r.Load.User)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.Expect("SET big:0 x", "OK"); err != nil {
		return judge.Violationf("before the disks are full: %v", err)
	}
	if err := takeSpace(r, 8<<20, r.Cluster.Nodes...); err != nil {
		return err
	}
	err = rig.Until(r.Ctx, rig.HealLimit, "a write is refused", func() error {
		if _, err := c.Do("SET big:1 x"); harness.Code(err) != "MEMORY_FULL" {
			return fmt.Errorf("SET: %v", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.Pass(r.Between(cutShort, cutLong)); err != nil {
		return err
	}
	if err := c.Expect("DELETE big:0", "OK"); err != nil {
		return judge.Violationf("while the disks are full: %v", err)
	}
	for _, n := range r.Cluster.Nodes {
		if err := r.reads(n); err != nil {
			return err
		}
	}
	return nil
}

// takeSpace leaves less and less, down to end.
func takeSpace(r *Round, end int64, nodes ...*rig.Node) error {
	const step = 4 << 20
	for left := int64(96 << 20); left > end; left -= step {
		for _, n := range nodes {
			if err := n.Disk.Fill(max(left, end)); err != nil && !strings.Contains(err.Error(), "No space") {
				return err
			}
		}
		if err := r.Pass(300 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func diskSlow(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	rig.Strained(judge.Alone, n)
	delay := r.Between(30*time.Millisecond, 300*time.Millisecond)
	r.Say("%s: each fdatasync takes %v longer", n.Name, delay.Round(time.Millisecond))
	return n.Trace("fdatasync", fmt.Sprintf("delay_enter=%d", delay.Microseconds()))
}

// fsyncError wants the process to end at once: what was written is not known any more.
func fsyncError(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	n.MayEnd = true
	offset := n.Log.Size()
	if err := n.Trace("fdatasync,fsync", "error=EIO"); err != nil {
		return err
	}
	err = rig.Until(r.Ctx, rig.HealLimit, n.Name+" ends after a failed fsync", func() error {
		if n.Running() {
			return errors.New("it runs")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !r.Combined {
		if err := n.Log.EndedClearly(offset, ""); err != nil {
			return err
		}
	}
	if err := r.flows(r.Cluster.Others(n)...); err != nil {
		return err
	}
	return errors.Join(n.Untrace(), r.back(n))
}
