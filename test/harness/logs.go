package harness

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// tailLines is how much of a node's log a failed test prints.
const tailLines = 60

// cleanup kills what runs, reads the logs for what must never be in one, and
// keeps the directory if the test has failed.
func (c *Cluster) cleanup() {
	c.observer.close()
	for _, n := range c.Nodes {
		if n.proc == nil {
			continue
		}
		if err := n.proc.Kill(); err != nil {
			c.t.Errorf("killing %s: %v", n.Name, err)
		}
		if err := CheckLog(n.LogPath, ObserverPassword); err != nil {
			c.t.Errorf("%s: %v", n.Name, err)
		}
	}
	KeepOnFailure(c.t, c.Dir, c.logPaths()...)
}

func (c *Cluster) logPaths() []string {
	var paths []string
	for _, n := range c.Nodes {
		paths = append(paths, n.LogPath)
	}
	return paths
}

// KeepOnFailure removes dir if the test has passed; else it names it and prints
// the ends of the given logs. It is for cleanups.
func KeepOnFailure(t testing.TB, dir string, logs ...string) {
	if !t.Failed() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing %s: %v", dir, err)
		}
		return
	}
	t.Logf("kept: %s", dir)
	for _, path := range logs {
		t.Logf("the end of %s:\n%s", path, tail(path, tailLines))
	}
}

// CheckLog fails if the log at path holds a panic, a data race or one of the
// secrets.
func CheckLog(path string, secrets ...string) error {
	log, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, trouble := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
		if i := bytes.Index(log, []byte(trouble)); i >= 0 {
			return fmt.Errorf("log holds %q:\n%s", trouble, log[i:min(len(log), i+4000)])
		}
	}
	for _, secret := range secrets {
		if bytes.Contains(log, []byte(secret)) {
			return fmt.Errorf("log holds the secret %q", secret)
		}
	}
	return nil
}

func tail(path string, lines int) string {
	log, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(log), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
