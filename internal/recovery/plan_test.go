package recovery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// How directories are read and recovered is tried in package cluster, which can start nodes on them.

func TestQuorumLost(t *testing.T) {
	for _, c := range []struct {
		self      string
		voters    string
		answering string
		lost      bool
	}{
		{"a/1", "a/1", "", false},
		{"a/1", "a/1 b/1", "", true},
		{"a/1", "a/1 b/1", "b/1", false},
		{"a/1", "a/1 b/1 c/1", "", true},
		{"a/1", "a/1 b/1 c/1", "c/1", false},
		{"a/1", "a/1 b/1 c/1 d/1", "c/1", true},
		{"a/1", "a/1 b/1 c/1 d/1 e/1", "c/1 e/1", false},
		{"a/1", "a/1 b/1 c/1", "d/1", true},      // a non-voter has none
		{"d/1", "a/1 b/1 c/1", "c/1", true},      // nor has this one
		{"d/1", "a/1 b/1 c/1", "b/1 c/1", false}, // which the others do without
		{"a/1", "a/1 b/1 c/1", "b/2", true},      // b has lost its disk
	} {
		p := &Plan{ServerID: c.self, Voters: strings.Fields(c.voters), Answering: strings.Fields(c.answering)}
		if p.QuorumLost() != c.lost {
			t.Errorf("%s with %q of %q: lost %v", c.self, c.answering, c.voters, !c.lost)
		}
	}
}

// Nothing is made of nothing, and nothing is left behind by the attempt.
func TestNothingToRecover(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	r := &Survivor{Cluster: "c", Node: "a", DataDir: dir, Log: hclog.NewNullLogger()}
	for name, try := range map[string]func() error{
		"plan": func() error { _, err := r.Plan(t.Context()); return err },
		"run":  func() error { _, err := r.Run(t.Context()); return err },
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s of a directory that is not there: %v", name, err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s has made the directory: %v", name, err)
		}
	}
}
