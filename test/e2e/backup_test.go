//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ciderd/test/harness"
)

// inspectFile asks what is in a backup, which takes no cluster.
func inspectFile(t *testing.T, file string) said {
	t.Helper()
	return program(t, "", "inspect", file)
}

// program runs ciderd with a verb that takes no cluster.
func program(t *testing.T, stdin string, args ...string) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, harness.Binary(t), args...)
	cmd.Env, cmd.Stdin = append(harness.CleanEnv(), "HOME="+t.TempDir()), strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	s := said{code: exitCode(cmd.Run())}
	s.out, s.err = out.String(), errs.String()
	return s
}

// holds wants a user to log in and to have these items.
func holds(t *testing.T, n *harness.Node, user string, items map[string]string) {
	t.Helper()
	conn := harness.LoginAs(t, n, user)
	for key, want := range items {
		harness.Eventually(t, key+" on "+n.Name, func() error {
			if got, err := conn.Do("GET " + key); err != nil || got != want {
				return fmt.Errorf("%.60q, %v; want %.60q", got, err, want)
			}
			return nil
		})
	}
}

// TestBackupAndRestore takes a backup of three nodes under load, and restores it into a cluster of one: all of it, a part,
// over what is there, and not where something is wrong.
func TestBackupAndRestore(t *testing.T) {
	from := harness.Start(t, harness.Options{Nodes: 3})
	alice := harness.LoginAs(t, from.Nodes[0], "alice")
	mustDo(t, alice, "SET k v", "OK")
	mustDo(t, alice, "SETEX lasts 3600 x", "OK")
	mustDo(t, alice, "ONCE first INCR n", "1")
	mustDo(t, harness.LoginAs(t, from.Nodes[1], "bob"), "SET of-bob y", "OK")
	file := filepath.Join(from.Dir, "backup")
	underLoad(t, from, func() {
		does(t, command(t, from, from.Nodes[2], "", "backup", file), file+": ", "users, ", " of harness at ")
	})
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	s := inspectFile(t, file)
	does(t, s, "whole       yes", "cluster     harness", "written by  n3", "alice  ", "bob  ")
	for _, n := range from.Nodes {
		harness.Eventually(t, n.Name+" knows of the backup", func() error {
			if s := command(t, from, n, "", "status"); !strings.Contains(s.out, "last backup") || !strings.Contains(s.out, "ago on n3") {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
	}
	version := versionOf(t, alice, "k")

	to := harness.Start(t, harness.Options{})
	n := to.Nodes[0]
	mustDo(t, harness.LoginAs(t, n, "carol"), "SET stays z", "OK")
	does(t, command(t, to, n, "", "restore", "-dry-run", file), "from    harness, node n3", "to      harness")
	fails(t, command(t, to, n, "another\n", "restore", file), 1, "another name than that of the cluster, harness; nothing was done")
	fails(t, command(t, to, n, "", "restore", file), 64, "say -yes")
	fails(t, command(t, to, n, "", "restore", "-yes", "-user", "dave", file), 1, "there is no user dave in the backup")
	if s := command(t, to, n, "", "user", "show", "alice"); s.code != 1 {
		t.Errorf("something was restored: %+v", s)
	}
	if s := command(t, to, n, "harness\n", "restore", file); s.code != 0 || !strings.Contains(s.out, "restored ") {
		t.Fatalf("%+v", s)
	}
	holds(t, n, "alice", map[string]string{"k": "v", "lasts": "x", "n": "1"})
	holds(t, n, "bob", map[string]string{"of-bob": "y"})
	holds(t, n, "carol", map[string]string{"stays": "z"})
	again := harness.LoginAs(t, n, "alice")
	mustDo(t, again, "ONCE first INCR n", "1")
	if got := versionOf(t, again, "k"); got <= version {
		t.Errorf("version %d after %d", got, version)
	}

	mustDo(t, again, "SET k changed", "OK")
	mustDo(t, again, "SET more m", "OK")
	fails(t, command(t, to, n, "", "restore", "-yes", "-user", "alice", file), 1, "has items here already, and would be replaced: alice")
	does(t, command(t, to, n, "", "restore", "-yes", "-replace", "-user", "alice", file), "restored 1 user with 3 keys")
	if line, err := again.ReadLine(); err != nil || !strings.HasPrefix(line, "ERR SESSION_ENDED ") {
		t.Errorf("the session is told %q, %v", line, err)
	}
	holds(t, n, "alice", map[string]string{"k": "v", "more": "NOT_FOUND"})

	damaged := filepath.Join(from.Dir, "damaged")
	all, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all[len(all)/2] ^= 1
	if err := os.WriteFile(damaged, all, 0o600); err != nil {
		t.Fatal(err)
	}
	fails(t, inspectFile(t, damaged), 1, "damaged backup")
	fails(t, command(t, to, n, "", "restore", "-yes", "-replace", damaged), 1, "damaged backup", "nothing was done")
	holds(t, n, "alice", map[string]string{"k": "v"})

	from.Nodes[0].Kill()
	from.Nodes[1].Kill()
	left := from.Nodes[2]
	harness.Eventually(t, "no leader is known", func() error {
		if s := command(t, from, left, "", "leader"); s.code != 2 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	fails(t, command(t, from, left, "", "restore", "-yes", "-replace", file), 2, "nothing was done")
	last := filepath.Join(from.Dir, "last")
	s = command(t, from, left, "", "backup", last)
	if s.code != 0 || !strings.Contains(s.err, "the backup is whole, and the cluster does not know of it") {
		t.Errorf("a backup of what is left: %+v", s)
	}
	does(t, inspectFile(t, last), "whole       yes", "alice  ")
}

// versionOf returns the version of a key that is there.
func versionOf(t *testing.T, c *harness.Client, key string) (version uint64) {
	t.Helper()
	got, err := c.Do("GETV " + key)
	if err == nil {
		_, err = fmt.Sscanf(got, "VALUE %d", &version)
	}
	if err != nil {
		t.Fatalf("GETV %s: %q, %v", key, got, err)
	}
	return version
}

// underLoad has clients write on all nodes while fn runs.
func underLoad(t *testing.T, c *harness.Cluster, fn func()) {
	t.Helper()
	var stop atomic.Bool
	var wg sync.WaitGroup
	var written atomic.Int64
	for _, n := range c.Nodes {
		conn := harness.LoginAs(t, n, "load-"+n.Name)
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				if _, err := conn.Do(fmt.Sprintf("SET k%d %d", i%500, i)); err != nil {
					t.Errorf("while a backup is made: %v", err)
					return
				}
				written.Add(1)
			}
		})
	}
	harness.Eventually(t, "writes", func() error {
		if n := written.Load(); n < 100 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	fn()
	stop.Store(true)
	wg.Wait()
}

// TestBackupOfANodeThatIsKilled: no half file has the name of a backup, whenever the node ends.
func TestBackupOfANodeThatIsKilled(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	n := c.Nodes[0]
	conn := harness.LoginAs(t, n, "alice")
	value := strings.Repeat("incompressible?", 20_000)
	for i := range 20 {
		mustDo(t, conn, fmt.Sprintf("SET k%d %s", i, harness.Unique()+value), "OK")
	}
	file := filepath.Join(c.Dir, "backup")
	does(t, command(t, c, n, "", "backup", file))
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	n.Pause() // so that the command waits in the middle
	ended := make(chan said, 1)
	go func() { ended <- command(t, c, n, "", "backup", file) }()
	harness.Eventually(t, "the command has begun", func() error {
		if found, _ := filepath.Glob(filepath.Join(c.Dir, ".backup.*.partial")); len(found) == 0 {
			return os.ErrNotExist
		}
		return nil
	})
	n.Kill()
	fails(t, <-ended, 1)
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, whole) {
		t.Errorf("the backup of before is another one: %v", err)
	}
	if found, _ := filepath.Glob(filepath.Join(c.Dir, ".backup.*")); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}

	n.Start()
	n.WaitServing()
	cmd := exec.Command(harness.Binary(t), "backup", "-", "-config", c.ConfigPath(), "-node", n.Name)
	cmd.Env = harness.CleanEnv()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begin := make([]byte, 1000)
	if _, err := io.ReadFull(out, begin); err != nil {
		t.Fatal(err)
	}
	n.Kill()
	rest, _ := io.ReadAll(out)
	code := exitCode(cmd.Wait())
	half := append(begin, rest...)
	if err := os.WriteFile(file, half, 0o600); err != nil {
		t.Fatal(err)
	}
	if s := inspectFile(t, file); (s.code == 0) != (code == 0) {
		t.Errorf("backup ended with %d, and of its %d bytes inspect says %+v", code, len(half), s)
	}
}

// TestRestoreAcrossALeader restores on a follower, whose leader is killed meanwhile; then every node holds the same.
func TestRestoreAcrossALeader(t *testing.T) {
	from := harness.Start(t, harness.Options{})
	conn := harness.LoginAs(t, from.Nodes[0], "alice")
	const items = 60_000
	var lines []string
	for i := range items {
		lines = append(lines, fmt.Sprintf("SET k%d %s%d", i, strings.Repeat("v", 100), i))
		if len(lines) == 500 {
			if _, err := conn.Pipeline(lines...); err != nil {
				t.Fatal(err)
			}
			lines = nil
		}
	}
	file := filepath.Join(from.Dir, "backup")
	does(t, command(t, from, from.Nodes[0], "", "backup", file))

	to := harness.Start(t, harness.Options{Nodes: 3})
	leader := to.Leader()
	here, other := to.Followers(leader)[0], to.Followers(leader)[1]
	ended := make(chan said, 1)
	go func() { ended <- command(t, to, here, "", "restore", "-yes", file) }()
	harness.Eventually(t, "the restore has begun", func() error {
		if s := command(t, to, here, "", "user", "show", "alice"); s.code != 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	t.Logf("it had ended before the leader was killed: %v", len(ended) > 0)
	leader.Kill()
	if s := <-ended; s.code != 0 {
		t.Fatalf("%+v", s)
	}
	for _, n := range []*harness.Node{here, other} {
		holds(t, n, "alice", map[string]string{"k0": strings.Repeat("v", 100) + "0", fmt.Sprint("k", items-1): fmt.Sprint(strings.Repeat("v", 100), items-1)})
		if s := command(t, to, n, "", "user", "show", "alice"); !strings.Contains(s.out, fmt.Sprintf("keys           %d\n", items)) {
			t.Errorf("%s: %+v", n.Name, s)
		}
	}
}

// TestRestorePartly restores into a cluster whose limit is below what the backup takes: not at all, or as much as fits. Where
// the cluster evicts, all of it is put back, and what has been used least goes.
func TestRestorePartly(t *testing.T) {
	from := harness.Start(t, harness.Options{})
	const items = 30 // of 400 KiB for each user
	value := strings.Repeat("v", 400<<10)
	for _, user := range []string{"alice", "bob"} {
		conn := harness.LoginAs(t, from.Nodes[0], user)
		for i := range items {
			mustDo(t, conn, fmt.Sprintf("SET k%d %s", i, value), "OK")
		}
	}
	file := filepath.Join(from.Dir, "backup")
	does(t, command(t, from, from.Nodes[0], "", "backup", file))
	for _, mode := range []string{"reject", "evict"} {
		t.Run(mode, func(t *testing.T) {
			to := harness.Start(t, harness.Options{Nodes: 3, Config: "limits {\n max_memory = \"16MiB\"\n when_full = \"" + mode + "\"\n}\n"})
			n := to.Followers(to.Leader())[0]
			stays := map[string]string{"stays": strings.Repeat("z", 100<<10)}
			mustDo(t, harness.LoginAs(t, to.Nodes[0], "carol"), "SET stays "+stays["stays"], "OK")
			fails(t, command(t, to, n, "", "restore", "-yes", file), 1, "it does not fit: with what stays here it takes", "the limit on memory is 16777216")
			does(t, command(t, to, n, "", "restore", "-dry-run", "-partial", file), "part    with what stays here it takes")
			if s := command(t, to, n, "", "user", "show", "alice"); s.code != 1 {
				t.Errorf("something was restored: %+v", s)
			}
			s := command(t, to, n, "", "restore", "-yes", "-partial", "-json", file)
			does(t, s)
			var done struct {
				Contents struct{ Items int }
				Skipped  int
			}
			if err := json.Unmarshal([]byte(s.out), &done); err != nil || done.Contents.Items+done.Skipped != 2*items || (done.Skipped > 0) != (mode == "reject") {
				t.Fatalf("%+v, %v", s, err)
			}
			harness.Eventually(t, "every node holds what fits", func() error {
				for _, on := range to.Nodes {
					held := keysOf(t, to, on, "alice") + keysOf(t, to, on, "bob")
					if held < items/2 || held > 42 || mode == "reject" && held != done.Contents.Items {
						return fmt.Errorf("%s holds %d: %+v", on.Name, held, done)
					}
				}
				return nil
			})
			holds(t, n, "carol", stays)
			for _, user := range []string{"alice", "bob"} { // they are let in, and what they have is whole
				conn := harness.LoginAs(t, n, user)
				whole := 0
				for i := range items {
					if got, err := conn.Do(fmt.Sprintf("GET k%d", i)); err == nil && got == value {
						whole++
					} else if err != nil || got != "NOT_FOUND" {
						t.Errorf("%s: k%d is %.40q, %v", user, i, got, err)
					}
				}
				if there := keysOf(t, to, n, user); whole != there {
					t.Errorf("%s has %d keys, %d of them whole", user, there, whole)
				}
			}
		})
	}
}

// keysOf is how many items a user has, as a node says.
func keysOf(t *testing.T, c *harness.Cluster, n *harness.Node, user string) int {
	t.Helper()
	keys, _ := fact(t, command(t, c, n, "", "user", "show", "-json", user), "Keys").(float64)
	return int(keys)
}
