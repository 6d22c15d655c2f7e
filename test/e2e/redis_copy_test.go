//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// TestCopyFromRedis copies a database of Redis as docs/redis.md says.
func TestCopyFromRedis(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import redis").Run(); err != nil {
		t.Skipf("LEFT OUT: no redis-py: %v", err)
	}
	socket := startRedis(t)
	c := harness.Start(t, harness.Options{Nodes: 1, Redis: true, Config: "auth { bcrypt_cost = 4 }\n"})
	user := redisUser(t, c.Nodes[0])
	old, own := dialRESP(t, "unix", socket), dialRESP(t, "tcp", c.Nodes[0].Redis)
	must := func(c *respConn, want string, args ...string) {
		t.Helper()
		if got := c.do(args...); got != want {
			t.Errorf("%.60q: %.60q, want %.60q", args, got, want)
		}
	}
	must(old, "+OK\r\n", "AUTH", "alice", "alice-secret")
	must(own, "+OK\r\n", "AUTH", user, harness.Password)
	for i := range 2000 {
		old.send(harness.RESP("SET", fmt.Sprint("key", i), fmt.Sprint("value", i)))
	}
	for range 2000 {
		old.reply()
	}
	must(old, "+OK\r\n", "SET", "due", "\x00\xff\r\n", "PX", "3600000")
	must(old, "+OK\r\n", "SET", "empty", "")
	must(old, ":1\r\n", "RPUSH", "list", "x")
	must(old, "+OK\r\n", "SET", "large", strings.Repeat("x", 600<<10))
	must(old, "+OK\r\n", "SET", strings.Repeat("k", 2000), "v")
	cmd := exec.CommandContext(t.Context(), "../../deploy/copy-from-redis.py", "unix://alice:alice-secret@"+socket,
		"redis://"+user+":"+harness.Password+"@"+c.Nodes[0].Redis)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.HasSuffix(string(out), "2002 keys copied, 3 left out\n") {
		t.Errorf("exit code %d: %v: %.2000s", code, err, out)
	}
	for _, want := range []string{"left out: b'list': a list\n", "left out: b'large': 614400 bytes, more than 524288\n", "a key has 1 to 1024 bytes"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not said", want)
		}
	}
	must(own, ":2002\r\n", "DBSIZE")
	must(own, "$9\r\nvalue1234\r\n", "GET", "key1234")
	must(own, "$4\r\n\x00\xff\r\n\r\n", "GET", "due")
	must(own, "$0\r\n\r\n", "GET", "empty")
	must(own, ":-1\r\n", "PTTL", "key7")
	if got := own.do("TTL", "due"); got != ":3600\r\n" && got != ":3599\r\n" {
		t.Errorf("the deadline was not copied: %q", got)
	}
}
