//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

// A copy is a process on a copy of a node's data directory, as a cloned machine is.
type copied struct {
	t      *testing.T
	c      *harness.Cluster
	of     *harness.Node
	saved  string
	config string
	log    string
}

// copyOf copies the directory of a node that does not run. The clone listens elsewhere; moved says whether it
// takes its own address for the node's, as one that got the other's file and another network does.
func copyOf(t *testing.T, c *harness.Cluster, of *harness.Node, moved bool) *copied {
	t.Helper()
	x := &copied{t: t, c: c, of: of, saved: of.DataDir + "-saved", config: filepath.Join(c.Dir, "copy.hcl"), log: filepath.Join(c.Dir, "copy.log")}
	if err := os.CopyFS(x.saved, os.DirFS(of.DataDir)); err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	text, err := os.ReadFile(c.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	own := string(text)
	own = strings.Replace(own, fmt.Sprintf("peer = %q", of.Peer()), fmt.Sprintf("peer = %q", port), 1)
	if moved {
		own = strings.Replace(own, fmt.Sprintf("address = %q", of.Peer()), fmt.Sprintf("address = %q", port), 1)
	}
	own = strings.Replace(own, fmt.Sprintf("%q", of.Text), fmt.Sprintf("\"127.0.0.1:%d\"", harness.FreePort(t)), 1)
	own = strings.Replace(own, fmt.Sprintf("%q", of.Admin), fmt.Sprintf("\"127.0.0.1:%d\"", harness.FreePort(t)), 1)
	own = strings.Replace(own, fmt.Sprintf("%q", of.DataDir), fmt.Sprintf("%q", x.dir()), 1)
	if err := os.WriteFile(x.config, []byte(own), 0o666); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *copied) dir() string { return x.of.DataDir + "-copy" }

func (x *copied) start() *harness.Process {
	x.t.Helper()
	if err := os.RemoveAll(x.dir()); err != nil {
		x.t.Fatal(err)
	}
	if err := os.CopyFS(x.dir(), os.DirFS(x.saved)); err != nil {
		x.t.Fatal(err)
	}
	p, err := harness.StartProcess(harness.Binary(x.t), x.c.Dir, x.log, nil, "-config", x.config, "-node", x.of.Name)
	if err != nil {
		x.t.Fatal(err)
	}
	return p
}

// TestCopiedDirectory starts a process on a copy of a node's directory beside that node, again and again: it ends by
// itself, says where the other one is, and the cluster does not notice: it goes on in its term.
func TestCopiedDirectory(t *testing.T) {
	for _, moved := range []bool{false, true} {
		t.Run(fmt.Sprintf("moved=%v", moved), func(t *testing.T) {
			c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
			of := c.Followers(c.Leader())[0]
			of.Stop(harness.StopLimit)
			x := copyOf(t, c, of, moved)
			of.Start()
			c.WaitReady()
			l := startLoad(t, c)
			leader := c.Leader()
			before := harness.Term(t, leader, "looks-"+harness.Unique())
			for round := range 10 * rounds(t) {
				p := x.start()
				code, err := p.ExitCode(20 * time.Second)
				if err != nil {
					_ = p.Kill()
					t.Fatalf("round %d: the copy runs on: %v", round, err)
				}
				if code != 65 {
					t.Errorf("round %d: it ended with %d, want 65", round, code)
				}
				l.progress(t, 5, c.Nodes...)
			}
			if now := harness.Term(t, leader, "looks-"+harness.Unique()); now != before {
				t.Errorf("term %d, and now %d", before, now)
			}
			l.halt()
			l.check(t, c, c.Nodes)
			said, _ := os.ReadFile(x.log)
			if !strings.Contains(string(said), "this is a copy of a server that runs") || !strings.Contains(string(said), "is another process, at 127.0.0.1:") {
				t.Errorf("the copy does not say why it ended:\n%s", said)
			}
		})
	}
}

// TestCopiesAtOnce starts a node and a copy of it at the same moment: one of the two ends, and the cluster goes on
// with the other.
func TestCopiesAtOnce(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
	leader := c.Leader()
	of := c.Followers(leader)[0]
	everyNodeWrites(t, c, c.Nodes)
	of.Stop(harness.StopLimit)
	x := copyOf(t, c, of, true)
	for round := range 4 * rounds(t) {
		p := x.start()
		of.Start()
		deadline := time.Now().Add(60 * time.Second)
		for of.Running() {
			if _, err := p.ExitCode(50 * time.Millisecond); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("round %d: both run", round)
			}
		}
		time.Sleep(time.Second)
		_, runs := p.ExitCode(time.Millisecond)
		if copyRuns := runs != nil; copyRuns == of.Running() {
			t.Errorf("round %d: the copy runs: %v, the node: %v", round, copyRuns, of.Running())
		}
		_ = p.Kill()
		if of.Running() {
			of.WaitServing()
			of.Stop(harness.StopLimit)
		}
		everyNodeWrites(t, c, c.Followers(of))
	}
}
