//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ciderd/test/harness"
)

// ownDisk gives the node a file system of 256 MiB in a file. It skips the test where that cannot be.
func ownDisk(t *testing.T, n *harness.Node) (mount string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system that can be filled")
	}
	mount = n.DataDir + ".disk"
	image := mount + ".img"
	run := func(name string, args ...string) error {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return nil
	}
	err := errors.Join(os.Mkdir(mount, 0o700), os.WriteFile(image, nil, 0o600), os.Truncate(image, 256<<20),
		run("mkfs.ext4", "-q", "-m", "0", image))
	if err != nil {
		t.Fatal(err)
	}
	if err := run("mount", "-o", "loop", image, mount); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		n.Kill()
		if err := run("umount", mount); err != nil {
			t.Error(err)
		}
	})
	n.DataDir = filepath.Join(mount, "data")
	return mount
}

// onOwnDisks starts three nodes, each on a file system of its own, and tells where those are.
func onOwnDisks(t *testing.T) (c *harness.Cluster, mounts map[*harness.Node]string) {
	t.Helper()
	c = harness.New(t, harness.Options{Nodes: 3})
	mounts = map[*harness.Node]string{}
	for _, n := range c.Nodes {
		mounts[n] = ownDisk(t, n)
	}
	c.WriteConfig("")
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	return c, mounts
}

// takeAll leaves nothing of a file system, at once.
func takeAll(t *testing.T, mount string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(mount, "filler"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	end, err := f.Seek(0, 2)
	for piece := int64(64 << 20); piece >= 4096 && err == nil; {
		switch e := syscall.Fallocate(int(f.Fd()), 0, end, piece); e {
		case nil:
			end += piece
		case syscall.ENOSPC:
			piece /= 2
		default:
			err = e
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDiskFilledAtOnce takes all room from one follower, the leader, and all nodes, without a warning,
// while there are writes. Every node lives on and serves reads and logins, also through an election;
// what is not written is an error that says so; with room again writes flow, and nothing is lost.
func TestDiskFilledAtOnce(t *testing.T) {
	c, mounts := onOwnDisks(t)
	user := "full-" + harness.Unique()
	harness.MakeUser(t, c.Leader(), user)
	for name, choose := range map[string]func() []*harness.Node{
		"a follower": func() []*harness.Node { return c.Followers(c.Leader())[:1] },
		"the leader": func() []*harness.Node { return []*harness.Node{c.Leader()} },
		"all":        func() []*harness.Node { return c.Nodes },
	} {
		t.Run(name, func(t *testing.T) {
			full := choose()
			f := fullDisks{t: t, c: c, user: user, mounts: mounts, full: full}
			mustDo(t, harness.LoginAs(t, c.Leader(), user), "SET before "+name, "OK")
			for _, n := range c.Nodes {
				mustDo(t, harness.LoginAs(t, n, user), "SYNC", "OK")
			}
			f.exhaust()
			f.serves()
			f.elect()
			f.serves()
			f.heal()
		})
	}
	sameEverywhere(t, c, user)
}

// TestDiskFillsWhileAnotherIsDown fills a follower's disk by writes while the other follower is down: every
// write needs that disk, so they are refused while deletions still have room.
func TestDiskFillsWhileAnotherIsDown(t *testing.T) {
	c, mounts := onOwnDisks(t)
	leader := c.Leader()
	full, down := c.Followers(leader)[0], c.Followers(leader)[1]
	user := "full-" + harness.Unique()
	harness.MakeUser(t, leader, user)
	takeAll(t, mounts[full])
	filler := filepath.Join(mounts[full], "filler")
	info, err := os.Stat(filler)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filler, info.Size()-40<<20); err != nil {
		t.Fatal(err)
	}
	down.Kill()
	conn := harness.LoginAs(t, leader, user)
	value, stored := strings.Repeat("v", 200<<10), 0
	for err = nil; err == nil && stored < 1000; stored++ {
		_, err = conn.Do(fmt.Sprintf("SET k%d %s", stored, value))
	}
	if stored--; harness.Code(err) != "MEMORY_FULL" || stored < 20 {
		t.Fatalf("%d values were stored; then %v", stored, err)
	}
	for i := range stored {
		mustDo(t, conn, fmt.Sprintf("DELETE k%d", i), "OK")
	}
	harness.Restart(t, c, []*harness.Node{down})
	harness.Eventually(t, "writes with all nodes", func() error {
		_, err := conn.Do("SET k v")
		return err
	})
	sameEverywhere(t, c, user)
}

type fullDisks struct {
	t      *testing.T
	c      *harness.Cluster
	user   string
	mounts map[*harness.Node]string
	full   []*harness.Node
	big    int      // values of 200 KiB that were stored
	said   []string // codes of those that were not
}

// exhaust takes the disks' room, and with large writes what a node keeps for that moment, until a
// disk has not a page left, and with all disks until writes are refused.
func (f *fullDisks) exhaust() {
	f.t.Helper()
	for _, n := range f.full {
		takeAll(f.t, f.mounts[n])
	}
	all := len(f.full) == len(f.c.Nodes)
	value := strings.Repeat("v", 200<<10)
	until := time.Now().Add(time.Minute)
	for i := 0; i < 40 && (!all || !slices.Contains(f.said, "MEMORY_FULL")) && time.Now().Before(until); i++ {
		for _, n := range f.c.Nodes {
			if n == f.full[0] && !all {
				continue // it hears of the end of its own writes when it has room again
			}
			conn := harness.LoginAs(f.t, n, f.user)
			_, err := conn.Do(fmt.Sprintf("SET big-%d %s", f.big, value))
			switch code := harness.Code(err); {
			case err == nil:
				f.big++
			case code == "MEMORY_FULL" || code == "NO_LEADER" || code == "TIMEOUT":
				f.said = append(f.said, code)
			default:
				f.t.Errorf("a large SET on %s: %v", n.Name, err)
			}
			_ = conn.Close()
		}
		for _, n := range f.full {
			takeAll(f.t, f.mounts[n]) // also what the node gave back
		}
	}
	f.t.Logf("%d values of 200 KiB were stored, and these were not: %v", f.big, f.said)
	if slices.Contains(f.said, "MEMORY_FULL") != all {
		f.t.Error("writes are refused for want of room if and only if a majority has none")
	}
}

// serves wants reads and logins on every node that runs.
func (f *fullDisks) serves() {
	f.t.Helper()
	for _, n := range f.c.Nodes {
		if !n.Running() {
			f.t.Errorf("%s has ended", n.Name)
			continue
		}
		conn := harness.LoginAs(f.t, n, f.user)
		if got, err := conn.Do("GET before"); err != nil || !strings.HasSuffix(f.t.Name(), strings.ReplaceAll(got, " ", "_")) {
			f.t.Errorf("GET on %s: %q, %v", n.Name, got, err)
		}
		_ = conn.Close()
	}
}

// elect makes the nodes elect while disks are full: it pauses whoever leads, or led, until the others
// have got to a later term.
func (f *fullDisks) elect() {
	f.t.Helper()
	leader, err := f.c.FindLeader()
	if err != nil {
		leader = f.c.Nodes[0] // nobody leads for long
	}
	others := f.c.Followers(leader)
	before := harness.Term(f.t, others[0], f.user)
	leader.Pause()
	harness.Eventually(f.t, "a later term", func() error {
		if now := harness.Term(f.t, others[0], f.user); now <= before {
			return fmt.Errorf("%s is in term %d", others[0].Name, now)
		}
		return nil
	})
	leader.Resume()
}

// heal gives the room back; every node writes again and has all that was stored.
func (f *fullDisks) heal() {
	f.t.Helper()
	for _, n := range f.full {
		if err := os.Remove(filepath.Join(f.mounts[n], "filler")); err != nil {
			f.t.Fatal(err)
		}
	}
	for _, n := range f.c.Nodes {
		conn := harness.LoginAs(f.t, n, f.user)
		harness.Eventually(f.t, n.Name+" writes", func() error {
			_, err := conn.Do("SET after-" + n.Name + " x")
			return err
		})
		mustDo(f.t, conn, "SYNC", "OK")
		harness.Eventually(f.t, n.Name+" has room", func() error {
			status, err := conn.Status()
			if err == nil && status["disk"] != "ok" {
				err = fmt.Errorf("its disk is %q", status["disk"])
			}
			return err
		})
		for i := range f.big {
			if got, err := conn.Do(fmt.Sprintf("HAS big-%d", i)); got != "true" {
				f.t.Errorf("%s has lost big-%d: %q, %v", n.Name, i, got, err)
			}
		}
		if err := harness.CheckLog(n.LogPath); err != nil {
			f.t.Error(err)
		}
	}
	conn := harness.LoginAs(f.t, f.c.Nodes[0], f.user)
	if _, err := conn.Do("FLUSH ALL"); err != nil {
		f.t.Error(err)
	}
}
