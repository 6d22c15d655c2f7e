//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"ciderd/test/harness"
	"ciderd/test/overlay"
)

// illnesses are in the order of the rules.
var illnesses = []illness{
	{
		alert: "CiderdNoLeader", fault: "two of three nodes are killed", quick: true,
		strike: func(_ *testing.T, c *harness.Cluster) blow {
			c.Nodes[0].Kill()
			c.Nodes[1].Kill()
			return blow{of: job, cure: func() { c.Nodes[0].Start() }}
		},
	},
	{
		alert: "CiderdDown", fault: "a node is killed", quick: true,
		strike: func(_ *testing.T, c *harness.Cluster) blow {
			c.Nodes[1].Kill()
			return blow{of: c.Nodes[1].Name, cure: c.Nodes[1].Start}
		},
	},
	{
		alert: "CiderdDown", fault: "a node hangs (SIGSTOP)",
		strike: func(_ *testing.T, c *harness.Cluster) blow {
			c.Nodes[1].Pause()
			return blow{of: c.Nodes[1].Name, cure: c.Nodes[1].Resume}
		},
	},
	{
		alert: "CiderdNotReady", fault: "all nodes are killed and one is started",
		strike: func(_ *testing.T, c *harness.Cluster) blow {
			for _, n := range c.Nodes {
				n.Kill()
			}
			c.Nodes[0].Start()
			return blow{of: c.Nodes[0].Name, cure: c.Nodes[1].Start}
		},
	},
	{
		alert: "CiderdNotReady", fault: "a node is drained and forgotten",
		strike: func(t *testing.T, c *harness.Cluster) blow {
			does(t, command(t, c, c.Nodes[0], "", "drain"))
			return blow{of: c.Nodes[0].Name, cure: func() { does(t, command(t, c, c.Nodes[0], "", "undrain")) }}
		},
	},
	{
		alert: "CiderdNotWritable", fault: "nothing reaches a node's peer port any more",
		prepare: relayed,
		strike: func(_ *testing.T, c *harness.Cluster) blow {
			n := c.Followers(c.Leader())[0]
			n.Relay.Cut()
			return blow{of: n.Name, cure: n.Relay.Heal}
		},
	},
	{
		alert: "CiderdLagging", fault: "each sync of a node's disk takes 1.5 s, under load",
		strike: func(t *testing.T, c *harness.Cluster) blow {
			leader := c.Leader()
			slow, k := c.Followers(leader)[0], newCrew(t)
			slow.SlowDisk(1500 * time.Millisecond)
			k.write(leader, 8, 1000, 100)
			return blow{of: slow.Name, cure: func() { k.home(); slow.FreeDisk() }}
		},
	},
	{
		alert: "CiderdElections", fault: "each leader is killed",
		strike: func(_ *testing.T, c *harness.Cluster) blow {
			return blow{again: func() {
				n, err := c.FindLeader()
				if err != nil {
					return // there is none yet
				}
				n.Kill()
				n.Start()
			}, cure: func() {}} // they are killed no more
		},
	},
	{
		alert: "CiderdRestarts", fault: "a node is killed and started, again and again",
		strike: func(_ *testing.T, c *harness.Cluster) blow {
			n := c.Followers(c.Leader())[0]
			return blow{of: n.Name, again: func() {
				n.Kill()
				n.Start()
				n.WaitServing()
			}, cure: func() {}}
		},
	},
	{
		alert: "CiderdVersions", fault: "a node runs a build of another commit", long: true,
		prepare: func(t *testing.T, c *harness.Cluster) { c.Nodes[2].Use(harness.Stamped(t, "0000000")) },
		strike: func(t *testing.T, c *harness.Cluster) blow {
			n := c.Nodes[2]
			return blow{of: job, cure: func() {
				n.Stop(harness.StopLimit)
				n.Use(harness.Binary(t))
				n.Start()
			}}
		},
	},
	{
		alert: "CiderdDiskFull", fault: "a node's disk is filled up to 8 MiB",
		prepare: func(_ *testing.T, c *harness.Cluster) { c.Nodes[1].SmallDisk("256m") },
		strike: func(_ *testing.T, c *harness.Cluster) blow {
			c.Nodes[1].FillDisk(8 << 20)
			return blow{of: c.Nodes[1].Name, cure: c.Nodes[1].FreeDisk}
		},
	},
	{
		alert: "CiderdDiskSmall", fault: "less is left of a node's disk than its log takes",
		prepare: func(_ *testing.T, c *harness.Cluster) { c.Nodes[1].SmallDisk("384m") },
		strike: func(t *testing.T, c *harness.Cluster) blow {
			n, k := c.Nodes[1], newCrew(t)
			k.write(n, 4, 10, 60<<10)
			harness.Eventually(t, "there is a log", func() error {
				if s, err := scrape(n); err != nil || s["ciderd_log_bytes"] < 48<<20 {
					return fmt.Errorf("it takes %v: %v", s["ciderd_log_bytes"], err)
				}
				return nil
			})
			k.home()
			n.FillDisk(40 << 20)
			return blow{of: n.Name, cure: n.FreeDisk, not: "CiderdDiskFull"}
		},
	},
	{
		alert: "CiderdDiskSmall", fault: "a node's disk fills up steadily", long: true,
		prepare: func(_ *testing.T, c *harness.Cluster) { c.Nodes[1].SmallDisk("1g") },
		strike: func(t *testing.T, c *harness.Cluster) blow {
			n := c.Nodes[1]
			f, err := os.Create(filepath.Join(n.DataDir, "grows"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			// What is written is far less than the disk has: the alert comes before it is full.
			return blow{of: n.Name, not: "CiderdDiskFull", again: func() {
				if _, err := f.Write(make([]byte, 8<<10)); err != nil {
					t.Fatal(err)
				}
			}}
		},
	},
	{
		alert: "CiderdSlowSyncs", fault: "each sync of a node's disk takes 0.3 s, under load",
		strike: func(t *testing.T, c *harness.Cluster) blow {
			slow, k := c.Followers(c.Leader())[0], newCrew(t)
			slow.SlowDisk(300 * time.Millisecond)
			k.write(c.Nodes[0], 1, 1000, 100)
			return blow{of: slow.Name, cure: slow.FreeDisk}
		},
	},
	{
		alert: "CiderdSnapshotsFail", fault: "there is no space where a node's snapshots are, under load",
		strike: func(t *testing.T, c *harness.Cluster) blow {
			n, k := c.Followers(c.Leader())[0], newCrew(t)
			free := noSpace(t, n, filepath.Join(n.DataDir, "snapshots"))
			k.write(n, 4, 10, 60<<10)
			return blow{of: n.Name, cure: func() { k.home(); free() }}
		},
	},
	{
		alert: "CiderdResent", fault: "the network breaks the connections to the leader, again and again, under load",
		prepare: relayed,
		strike: func(t *testing.T, c *harness.Cluster) blow {
			n, k := c.Followers(c.Leader())[0], newCrew(t)
			k.write(n, 8, 1000, 100)
			return blow{again: func() {
				if leader, err := c.FindLeader(); err == nil {
					leader.Relay.Break()
				}
			}, cure: k.home}
		},
	},
	{
		alert: "CiderdMemoryFull", fault: "more is written than there is memory for",
		options: harness.Options{Config: "limits { max_memory = \"16MiB\" }"},
		strike: func(t *testing.T, c *harness.Cluster) blow {
			k := newCrew(t)
			k.write(c.Nodes[0], 2, 1000, 20<<10)
			return blow{of: c.Nodes[0].Name, cure: k.home}
		},
	},
	{
		alert: "CiderdMemoryRefuses", fault: "more is written than there is memory for, with when_full = reject",
		options: harness.Options{Config: rejecting("16MiB")},
		strike: func(t *testing.T, c *harness.Cluster) blow {
			k := newCrew(t)
			k.write(c.Nodes[0], 2, 1000, 20<<10)
			return blow{of: c.Nodes[0].Name, not: "CiderdMemoryFull", cure: func() {
				c.WriteConfig(rejecting("64MiB"))
				for _, n := range c.Nodes {
					does(t, command(t, c, n, "", "reload"))
				}
			}}
		},
	},
	{
		alert: "CiderdDescriptors", fault: "a node may open hardly more descriptors than it has open",
		strike: func(t *testing.T, c *harness.Cluster) blow {
			harness.Need(t, "prlimit")
			n := c.Nodes[1]
			return blow{of: n.Name, cure: func() { limitDescriptors(t, n, 4096) }, again: func() {
				open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.Pid()))
				if err != nil {
					t.Fatal(err)
				}
				limitDescriptors(t, n, len(open)+2) // each time, as it opens and closes some
			}}
		},
	},
	{
		alert: "CiderdRefusesClients", fault: "more clients come than max_connections lets in",
		options: harness.Options{Config: "limits { max_connections = 20 }"},
		strike: func(t *testing.T, c *harness.Cluster) blow {
			n := c.Nodes[1]
			for range 20 {
				conn, err := harness.Connect(n.Text)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
			}
			return blow{of: "max_connections", again: func() {
				conn, err := harness.Connect(n.Text)
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.SetReadDeadline(time.Now().Add(harness.Limit))
				_, _ = io.Copy(io.Discard, conn) // it is refused, and closed
				_ = conn.Close()
			}, cure: func() {}} // they come no more
		},
	},
	{
		alert: "CiderdLoginQueue", fault: "200 clients log in at a time, over and over",
		strike: func(t *testing.T, c *harness.Cluster) blow {
			k := newCrew(t)
			k.guess(c.Nodes[1], 200)
			return blow{of: c.Nodes[1].Name, cure: k.home}
		},
	},
	{
		alert: "CiderdGuessing", fault: "four clients try one password after the other",
		strike: func(t *testing.T, c *harness.Cluster) blow {
			k := newCrew(t)
			k.guess(c.Nodes[1], 4)
			return blow{of: c.Nodes[1].Name, cure: k.home}
		},
	},
	{
		alert: "CiderdCertificate", fault: "a node's certificate is good for ten days",
		prepare: certified,
		strike:  expiring(10),
	},
	{
		alert: "CiderdCertificateExpired", fault: "a node's certificate is good for a day",
		prepare: certified,
		strike:  expiring(1),
	},
	{
		alert: "CiderdBackup", fault: "there are users, and no backup", long: true,
		strike: func(t *testing.T, c *harness.Cluster) blow {
			harness.MakeUser(t, c.Leader(), "saved-"+harness.Unique())
			return blow{of: job, cure: func() { backedUp(t, c) }}
		},
	},
	{
		alert: "CiderdBackup", fault: "the last backup was made when the nodes' clocks were eight days back", long: true,
		options: harness.Options{Changes: []overlay.Change{overlay.MovableClock}, Env: []string{overlay.ClockFile + "=clock"}},
		prepare: func(t *testing.T, c *harness.Cluster) {
			if err := os.WriteFile(filepath.Join(c.Dir, "clock"), []byte("-192h"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		strike: func(t *testing.T, c *harness.Cluster) blow {
			harness.MakeUser(t, c.Leader(), "saved-"+harness.Unique())
			backedUp(t, c)
			return blow{of: job, cure: func() {
				// A cluster that runs keeps its time, whatever the nodes' clocks do.
				for _, n := range c.Nodes {
					n.Kill()
				}
				if err := os.Remove(filepath.Join(c.Dir, "clock")); err != nil {
					t.Fatal(err)
				}
				harness.Restart(t, c, c.Nodes)
				backedUp(t, c)
			}}
		},
	},
}

func relayed(_ *testing.T, c *harness.Cluster) {
	for _, n := range c.Nodes {
		n.RelayPeers()
	}
}

func rejecting(limit string) string {
	return fmt.Sprintf("limits {\n max_memory = %q\n when_full = \"reject\"\n}", limit)
}

func certified(_ *testing.T, c *harness.Cluster) { c.MakeCertificates() }

// expiring gives a node a certificate that is good for so many days.
func expiring(days int) func(t *testing.T, c *harness.Cluster) blow {
	return func(t *testing.T, c *harness.Cluster) blow {
		n := c.Nodes[2]
		does(t, command(t, c, n, "", "tls", "renew", "-ca", filepath.Dir(c.Authority()), "-days", strconv.Itoa(days), n.Name))
		does(t, command(t, c, n, "", "reload"))
		file, _ := c.Certificate(n)
		return blow{of: file, cure: func() {
			c.RenewCertificate(n)
			does(t, command(t, c, n, "", "reload"))
		}}
	}
}

// backedUp makes a backup, of which the cluster knows.
func backedUp(t *testing.T, c *harness.Cluster) {
	t.Helper()
	harness.Eventually(t, "a backup", func() error {
		if s := command(t, c, c.Nodes[0], "", "backup", filepath.Join(c.Dir, "backup")); s.code != 0 || s.err != "" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

// noSpace lays a file system of one page over a directory of a running node, and takes it away again at the latest at the
// test's end.
func noSpace(t *testing.T, n *harness.Node, dir string) (free func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	run := func(name string, args ...string) error {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return nil
	}
	if err := run("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", dir); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	mounted := true
	free = func() {
		if !mounted {
			return
		}
		if err := run("umount", "-l", dir); err != nil {
			t.Error(err)
		}
		mounted = false
	}
	t.Cleanup(func() {
		n.Kill()
		free()
	})
	return free
}

// limitDescriptors bounds what a running node may have open.
func limitDescriptors(t *testing.T, n *harness.Node, most int) {
	t.Helper()
	out, err := exec.Command("prlimit", "--pid", strconv.Itoa(n.Pid()), "--nofile="+strconv.Itoa(most)+":").CombinedOutput()
	if err != nil {
		t.Fatalf("prlimit: %v: %s", err, out)
	}
}
