//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ciderd/test/harness"
)

// limitChanges has files changed, on one node and on another, and a node lose its disk.
func limitChanges(t *testing.T, c *harness.Cluster) {
	const was, now = `max_memory = "64MiB"`, `max_memory = "48MiB"`
	first, second, third := c.Nodes[0], c.Nodes[1], c.Nodes[2]
	c.WriteConfig(limited(now))
	first.Signal(syscall.SIGHUP)
	wantLimit(t, c, 48*mib)
	harness.Eventually(t, "memory below the new limit", func() error {
		return eachStatus(t, c, func(s map[string]string) error {
			if n, _ := strconv.Atoi(s["memory"]); n > 48*mib {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
	})
	wantNotices(t, c, map[string]string{second.Name: "max_memory = 64MiB", third.Name: "max_memory = 64MiB"})

	taken := map[*harness.Node]int{}
	for _, n := range c.Nodes[1:] {
		taken[n] = takenOver(t, n)
	}
	c.WriteConfig(limited(was))
	if code := second.Stop(harness.StopLimit); code != 0 {
		t.Fatalf("%s ended with %d", second.Name, code)
	}
	harness.Restart(t, c, []*harness.Node{second})
	third.Kill()
	third.WipeData()
	c.WriteConfig(limited(`max_memory = "32MiB"`))
	harness.Restart(t, c, []*harness.Node{third})
	wantNotices(t, c, map[string]string{second.Name: "max_memory = 64MiB", third.Name: "max_memory = 32MiB"})
	wantLimit(t, c, 48*mib)
	for n, before := range taken {
		if again := takenOver(t, n); again != before {
			t.Errorf("%s has taken over limits %d times, and %d before", n.Name, again, before)
		}
	}
}

// takenOver counts how often a node says that it has changed the limits.
func takenOver(t *testing.T, n *harness.Node) int {
	t.Helper()
	text, err := os.ReadFile(n.LogPath)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), `"limits taken over from the file"`)
}

// wantNotices wants every node to name those, and nobody else, with what their file says.
func wantNotices(t *testing.T, c *harness.Cluster, files map[string]string) {
	t.Helper()
	for _, n := range c.Nodes {
		conn := harness.LoginAs(t, n, "operator")
		harness.Eventually(t, n.Name+" names the files that differ", func() error {
			got, err := conn.Notices()
			if err != nil {
				return err
			}
			if len(got) != len(files) {
				return fmt.Errorf("%q", got)
			}
			for _, text := range got {
				name, rest, _ := strings.Cut(text, ": ")
				if says := files[name]; says == "" || !strings.Contains(rest, "its file says "+says) {
					return fmt.Errorf("%q", text)
				}
			}
			return nil
		})
	}
}

// wantLimit waits until all nodes say that this is the limit; 0: that there is none.
func wantLimit(t *testing.T, c *harness.Cluster, limit int64) {
	t.Helper()
	want := "-"
	if limit > 0 {
		want = strconv.FormatInt(limit, 10)
	}
	harness.Eventually(t, "a limit of "+want, func() error {
		return eachStatus(t, c, func(s map[string]string) error {
			if s["memory_limit"] != want {
				return fmt.Errorf("%s", s["memory_limit"])
			}
			return nil
		})
	})
}

// eachStatus calls judge with every node's STATUS.
func eachStatus(t *testing.T, c *harness.Cluster, judge func(map[string]string) error) error {
	t.Helper()
	var errs []error
	for _, n := range c.Nodes {
		conn := harness.LoginAs(t, n, "operator")
		s, err := conn.Status()
		if err == nil {
			err = judge(s)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", n.Name, err))
		}
		_ = conn.Close()
	}
	return errors.Join(errs...)
}

// TestRejectWhenFull fills a cluster that evicts nothing: what grows is refused on every node, and what is removed makes
// room.
func TestRejectWhenFull(t *testing.T) {
	const limit = 16 * mib
	c := harness.Start(t, harness.Options{Nodes: 3, Config: limited("max_memory = \"16MiB\"\nwhen_full = \"reject\"")})
	wantLimit(t, c, limit)
	user := "hoarder-" + harness.Unique()
	f := newFiller(t, c.Nodes[0], user, 4000)
	other := harness.LoginAs(t, c.Nodes[1], "other-"+harness.Unique())
	mustDo(t, other, "SET k v", "OK")
	kept := f.untilFull(t, limit)
	if most := limit / 4000; kept < most*3/4 || kept > most {
		t.Errorf("%d values of 4,000 bytes in %d", kept, limit)
	}
	for _, n := range c.Nodes {
		conn := harness.LoginAs(t, n, user)
		if _, err := conn.Do("SET more " + f.value(0)); harness.Code(err) != "MEMORY_FULL" {
			t.Errorf("a SET on %s: %v", n.Name, err)
		}
		mustDo(t, conn, "GET more", "NOT_FOUND")
	}
	if _, err := other.Do("SET large " + f.value(0)); harness.Code(err) != "MEMORY_FULL" {
		t.Errorf("another user's: %v", err)
	}
	mustDo(t, f.conn, "SET "+fillKey(1)+" "+f.value(1), "OK") // does not grow
	mustDo(t, f.conn, "EXPIRE "+fillKey(1)+" 1h", "OK")
	mustDo(t, f.conn, "PERSIST "+fillKey(1), "OK")
	mustDo(t, f.conn, "DELETE "+fillKey(0)+" "+fillKey(2), "2")
	mustDo(t, other, "SET large "+f.value(0), "OK")
	sameEverywhere(t, c, user)
	mustDo(t, f.conn, "FLUSH ALL", "OK")
	f.written = 0
	if again := f.untilFull(t, limit); again < kept-10 {
		t.Errorf("%d values after FLUSH, %d before", again, kept)
	}
	for _, n := range c.Nodes {
		if s, err := statsOf(n, user); err != nil || s["evicted"] != 0 || s["keys"] != int64(f.written) {
			t.Errorf("%s: %v, %v; want %d keys", n.Name, s, err, f.written)
		}
	}
}
