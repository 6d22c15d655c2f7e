//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ciderd/test/harness"
	"ciderd/test/overlay"
)

// diagnosis is `ciderd doctor -json`.
type diagnosis struct {
	Verdict  string
	Findings []struct{ Severity, Kind, Node, What, Why, Cure string }
}

// diagnosed is what doctor says on a node; its text has each finding with its cure, and its exit code fits.
func diagnosed(t *testing.T, c *harness.Cluster, n *harness.Node) (d diagnosis, err error) {
	t.Helper()
	s := command(t, c, n, "", "doctor", "-json")
	if err := json.Unmarshal([]byte(s.out), &d); err != nil {
		return d, fmt.Errorf("%+v: %w", s, err)
	}
	if want := map[string]int{"HEALTHY": 0, "DEGRADED": 1, "NO QUORUM": 2}[d.Verdict]; s.code != want {
		return d, fmt.Errorf("%s, and exit code %d", d.Verdict, s.code)
	}
	return d, nil
}

// finds waits until doctor on a node finds an illness: its kind, and the node that has it.
func finds(t *testing.T, c *harness.Cluster, asked *harness.Node, kind string, words ...string) {
	t.Helper()
	harness.Eventually(t, "doctor finds "+kind, func() error { return found(t, c, asked, kind, words...) })
}

// found is finds, now.
func found(t *testing.T, c *harness.Cluster, asked *harness.Node, kind string, words ...string) error {
	t.Helper()
	d, err := diagnosed(t, c, asked)
	if err != nil {
		return err
	}
	var seen []string
	for _, f := range d.Findings {
		seen = append(seen, strings.TrimSpace(f.Kind+" "+f.Node)+": "+f.What)
		if strings.TrimSpace(f.Kind+" "+f.Node) != kind {
			continue
		}
		for _, w := range words {
			if !strings.Contains(f.What, w) {
				return fmt.Errorf("it says %q, without %q", f.What, w)
			}
		}
		if f.Why == "" || f.Cure == "" {
			return fmt.Errorf("no reason or no cure: %+v", f)
		}
		return nil
	}
	return fmt.Errorf("it finds %q", seen)
}

// heals waits until doctor finds an illness no more.
func heals(t *testing.T, c *harness.Cluster, asked *harness.Node, kind string) {
	t.Helper()
	harness.Eventually(t, kind+" is gone", func() error {
		d, err := diagnosed(t, c, asked)
		for _, f := range d.Findings {
			if strings.TrimSpace(f.Kind+" "+f.Node) == kind {
				return fmt.Errorf("%s", f.What)
			}
		}
		return err
	})
}

// TestDoctor plants illnesses in a healthy cluster, one after the other.
func TestDoctor(t *testing.T) {
	const settings = "limits {\n max_memory = \"16MiB\"\n when_full = \"reject\"\n}\n"
	c := harness.New(t, harness.Options{Nodes: 3, Config: settings})
	c.MakeCertificates()
	c.WriteConfig(settings)
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	n1, n2, n3 := c.Nodes[0], c.Nodes[1], c.Nodes[2]
	finds(t, c, n1, "backup", "no backup")
	backedUp(t, c)
	harness.Eventually(t, "doctor finds nothing", func() error {
		d, err := diagnosed(t, c, n1)
		for _, f := range d.Findings {
			if f.Kind != "elections" && f.Kind != "slow-disk" { // a slow machine has them
				return fmt.Errorf("%s", f.What)
			}
		}
		return err
	})

	// A certificate that is about to expire.
	does(t, command(t, c, n3, "", "tls", "renew", "-ca", filepath.Dir(c.Authority()), "-days", "10", n3.Name))
	does(t, command(t, c, n3, "", "reload"))
	finds(t, c, n1, "certificate n3", "expires in 9 days")

	// Files that differ.
	c.WriteConfig(settings + "auth { idle_timeout = \"77s\" }\n")
	does(t, command(t, c, n2, "", "reload"), "changed: auth.idle_timeout")
	finds(t, c, n1, "settings", "auth.idle_timeout", "77s")
	does(t, command(t, c, n1, "", "reload"))
	does(t, command(t, c, n3, "", "reload"))
	heals(t, c, n1, "settings")

	fewDescriptors(t, c, n2)
	loginQueue(t, c, n2)
	fullMemory(t, c, n2)

	// Nodes that do not answer. What is worst comes first.
	n3.Kill()
	finds(t, c, n1, "node-silent n3", "does not answer")
	harness.Eventually(t, "it is what comes first", func() error {
		d, err := diagnosed(t, c, n1)
		if err == nil && (d.Verdict != "DEGRADED" || d.Findings[0].Kind != "node-silent") {
			err = fmt.Errorf("%+v", d)
		}
		return err
	})
	n2.Kill()
	finds(t, c, n1, "no-quorum")
	text := command(t, c, n1, "", "doctor")
	if text.code != 2 || !strings.HasPrefix(text.out, "NO QUORUM ") || !strings.Contains(text.out, "\ncure      ") {
		t.Errorf("%+v", text)
	}
	for line := range strings.Lines(text.out) {
		if n := len([]rune(line)); n > 81 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// fewDescriptors takes a running node's descriptors away, all but few.
func fewDescriptors(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	harness.Need(t, "prlimit")
	kind := "descriptors " + n.Name
	harness.Eventually(t, "doctor finds "+kind, func() error {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.Pid()))
		if err != nil {
			return err
		}
		limitDescriptors(t, n, len(open)+2) // each time, as it opens and closes some
		return found(t, c, c.Nodes[0], kind, "file descriptors are open")
	})
	limitDescriptors(t, n, 4096)
	heals(t, c, c.Nodes[0], kind)
}

// loginQueue has more clients log in at a time, again and again, than the node's processors check.
func loginQueue(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	clients := newCrew(t)
	clients.guess(n, 200)
	finds(t, c, c.Nodes[0], "login-queue "+n.Name, "logins wait")
	clients.home()
	heals(t, c, c.Nodes[0], "login-queue "+n.Name)
}

// fullMemory stores as much as there may be.
func fullMemory(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	client := harness.LoginAs(t, n, "fills-"+harness.Unique())
	value := strings.Repeat("v", 50<<10)
	for i := range 2000 {
		_, err := client.Do(fmt.Sprintf("SET k%d %s", i, value))
		switch code := harness.Code(err); {
		case err != nil && code == "":
			t.Fatal(err)
		case code == "MEMORY_FULL", code == "QUOTA":
			finds(t, c, c.Nodes[0], "memory "+n.Name, "% of the limit of 16 MiB")
			return
		}
	}
	t.Fatal("there is no end of memory")
}

// TestDoctorSlowDisk: a node whose disk takes long for each sync is told of, and falls behind, which is told too.
func TestDoctorSlowDisk(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	leader := c.Leader()
	slow := c.Followers(leader)[0]
	slow.SlowDisk(1500 * time.Millisecond)
	user := "slow-" + harness.Unique()
	harness.MakeUser(t, leader, user)
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for i := range 4 {
		client := harness.LoginAs(t, leader, user)
		writing.Go(func() {
			for n := 0; !stopped(stop); n++ {
				if _, err := client.Do(fmt.Sprintf("SET k%d %d", i, n)); err != nil && harness.Code(err) == "" {
					t.Errorf("writing: %v", err)
					return
				}
			}
		})
	}
	finds(t, c, leader, "slow-disk "+slow.Name, "syncing the log takes")
	if err := harness.Until(4*harness.Limit, "doctor finds that it lags", func() error {
		return found(t, c, leader, "lagging "+slow.Name, "log entries behind")
	}); err != nil {
		t.Error(err)
	}
	close(stop)
	writing.Wait()
	slow.FreeDisk()
	if err := harness.Until(4*harness.Limit, "it catches up", func() error {
		if err := found(t, c, leader, "lagging "+slow.Name); err == nil {
			return fmt.Errorf("%s still lags", slow.Name)
		}
		_, err := diagnosed(t, c, leader)
		return err
	}); err != nil {
		t.Error(err)
	}
}

// TestDoctorVersions: a node of an older release is no illness of the node, but told; also while it leads, which it does not
// say itself.
func TestDoctorVersions(t *testing.T) {
	old := harness.Release(t, "a824b82")
	c := harness.New(t, harness.Options{Nodes: 3})
	c.Nodes[1].Use(old)
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	finds(t, c, c.Nodes[0], "versions", "n2: an older release")
	harness.Eventually(t, "the older one leads, and is followed", func() error {
		if leader, err := c.FindLeader(); err != nil || leader != c.Nodes[1] {
			return fmt.Errorf("%v; %+v", err, command(t, c, c.Nodes[0], "", "transfer", "n2"))
		}
		s := command(t, c, c.Nodes[0], "", "doctor")
		if s.code != 0 || !strings.HasPrefix(s.out, "HEALTHY ") || !strings.Contains(s.out, "n2 leads") {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

// aheadOnN2 has the node n2 take the time of day from a clock that is ahead.
var aheadOnN2 = overlay.Change{
	Name: "n2-ahead",
	Does: "has the machine of n2 show the wrong time of day",
	Edits: []overlay.Edit{
		{File: "internal/report/own.go", Find: "Wall: time.Now().UnixMilli()", Put: "Wall: timeOfDay().UnixMilli()"},
		{File: "internal/report/overview.go", Find: "time.Now().Add(-said.Took/2)", Put: "timeOfDay().Add(-said.Took/2)"},
	},
	Adds: []overlay.File{{Path: "internal/report/timeofday.go", Text: `package report

import (
	"os"
	"slices"
	"time"
)

func timeOfDay() time.Time {
	if slices.Contains(os.Args, "n2") {
		return time.Now().Add(90 * time.Second)
	}
	return time.Now()
}
`}},
}

// TestDoctorClock: whichever node is asked, the wrong clock is that of the one whose is wrong.
func TestDoctorClock(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Changes: []overlay.Change{aheadOnN2}})
	for _, n := range c.Nodes {
		finds(t, c, n, "clock n2", "off by 1m30s")
		d, err := diagnosed(t, c, n)
		if err != nil || slices.ContainsFunc(d.Findings, func(f struct{ Severity, Kind, Node, What, Why, Cure string }) bool {
			return f.Kind == "clock" && f.Node != "n2"
		}) {
			t.Errorf("%s says %+v, %v", n.Name, d, err)
		}
	}
}
