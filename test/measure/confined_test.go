//go:build e2e

package measure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

// memoryGroup is a memory cgroup, of either version.
type memoryGroup struct{ dir, limit, peak, killed string }

func memoryGroups(name string) []memoryGroup {
	return []memoryGroup{
		{"/sys/fs/cgroup/memory/" + name, "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"},
		{"/sys/fs/cgroup/" + name, "memory.max", "memory.peak", "memory.events"},
	}
}

// confined makes memory cgroups of so many bytes, and returns what has each node of a cluster run in one of its own, if
// it has not started yet. It logs where this machine cannot do that.
func confined(t *testing.T, nodes int, bytes int64) func(*harness.Cluster) {
	var groups []memoryGroup
	for range nodes {
		g, err := newMemoryGroup("ciderd-"+harness.Unique(), bytes)
		if err != nil {
			t.Logf("not in a cgroup: %v", err)
			return func(*harness.Cluster) {}
		}
		t.Cleanup(func() { g.close(t, bytes) }) // before that of a cluster, so after it in order of running
		groups = append(groups, g)
	}
	return func(c *harness.Cluster) {
		for i, n := range c.Nodes {
			script := filepath.Join(c.Dir, n.Name+".sh")
			text := fmt.Sprintf("#!/bin/sh\necho $$ > %s/cgroup.procs && exec %s \"$@\"\n", groups[i].dir, harness.Binary(t))
			if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
			n.Use(script)
		}
	}
}

func newMemoryGroup(name string, bytes int64) (memoryGroup, error) {
	var errs []error
	for _, g := range memoryGroups(name) {
		if _, err := os.Stat(filepath.Dir(g.dir)); err != nil {
			errs = append(errs, err)
			continue
		}
		err := os.Mkdir(g.dir, 0o755)
		if err == nil {
			err = os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.FormatInt(bytes, 10)), 0o600)
		}
		if err == nil {
			return g, nil
		}
		errs = append(errs, err, os.Remove(g.dir))
	}
	return memoryGroup{}, errors.Join(errs...)
}

// close tells how much a node took at most, with its part of the page cache, and takes the group away. The nodes have
// ended.
func (g memoryGroup) close(t *testing.T, bytes int64) {
	read := func(file string) string {
		text, _ := os.ReadFile(filepath.Join(g.dir, file)) // what is not there, is not told
		return string(text)
	}
	peak, _ := strconv.ParseInt(strings.TrimSpace(read(g.peak)), 10, 64)
	t.Logf("in a cgroup of %d MiB: at most %d MiB with the page cache; %q", bytes>>20, peak>>20, read(g.killed))
	for range 50 {
		if os.Remove(g.dir) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond) // its processes are ending
	}
	t.Logf("%s is left", g.dir)
}
