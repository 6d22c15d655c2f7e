//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// earlyRedis is what a client of Redis can do on an upgraded node while others are not: what older releases read. Each has
// its reply, or the beginning of one that is longer.
var earlyRedis = [][2]string{
	{"SET k v", "+OK"}, {"GET k", "$1\r\nv"}, {"SET k w NX", "$-1"}, {"SET k w XX EX 100", "+OK"}, {"TTL k", ":100"}, {"SETEX k 50 v", "+OK"},
	{"PSETEX k 50000 v", "+OK"}, {"SETNX k x", ":0"}, {"EXPIRE k 100", ":1"}, {"PEXPIRE k 100000", ":1"}, {"EXPIRE none 1", ":0"},
	{"APPEND k w", ":2"}, {"STRLEN k", ":2"}, {"INCR n", ":1"}, {"INCRBY n 41", ":42"}, {"DECR n", ":41"}, {"DECRBY n 1", ":40"},
	{"MSET a 1 b 2", "+OK"}, {"MGET a none b", "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2"}, {"EXISTS a b none", ":2"}, {"DEL a none", ":1"}, {"UNLINK b", ":1"},
	{"CIDERD.ONCE id INCR n", ":41"}, {"CIDERD.ONCE id INCR n", ":41"}, {"CIDERD.SYNC", "+OK"}, {"CIDERD.CAS none 1 v", "$-1"},
	{"DBSIZE", ":2"}, {"KEYS n", "*1\r\n$1\r\nn"}, {"EVAL return(redis.call('get',KEYS[1])) 1 n", "$2\r\n41"}, {"MULTI", "+OK"}, {"PING", "+QUEUED"}, {"EXEC", "*1\r\n+PONG"},
	{"FLUSHALL", "+OK"},
}

// lateRedis is what takes all nodes, and its reply then, behind SET k v.
var lateRedis = [][2]string{
	{"SET k w GET", "$1\r\nv"}, {"SET k v KEEPTTL", "+OK"}, {"SET k v EXAT 4000000000", "+OK"}, {"SET k v IFEQ v", "+OK"}, {"GETSET k v", "$1\r\nv"},
	{"GETEX k PERSIST", "$1\r\nv"}, {"EXPIRE k 100 NX", ":1"}, {"EXPIREAT k 4000000000", ":1"}, {"PERSIST k", ":1"}, {"COPY k l", ":1"}, {"RENAME l m", "+OK"},
	{"MSETNX x 1 y 2", ":1"}, {"SETRANGE k 1 w", ":2"}, {"INCRBYFLOAT x 0.5", "$3\r\n1.5"}, {"DELIFEQ k vw", ":1"}, {"GETDEL m", "$1\r\nv"},
	{"EVAL return(redis.call('set',KEYS[1],1)) 1 k", "+OK"},
}

// lateInMulti is the same in a MULTI of its own.
var lateInMulti = [][2]string{
	{"SET k v", "*1\r\n+OK"}, {"GET k", "*1\r\n$1\r\nv"}, {"DBSIZE", "*1\r\n:3"}, {"EVAL return(redis.call('incr',KEYS[1])) 1 y", "*1\r\n:3"},
}

const (
	notEveryNode = "-ERR the cluster is being upgraded and not every node knows this command yet; nothing was done"
	noOrderYet   = "-TRYAGAIN the cluster has not agreed on an order for SCAN yet; nothing was done"
)

// notYetRedis is a client of an upgraded node, whose port the others do not have yet.
func notYetRedis(t *testing.T, _ *harness.Cluster, n *harness.Node) {
	t.Helper()
	c := redisOn(t, n, redisUser(t, n))
	for _, line := range earlyRedis {
		wantRedis(t, c, line[0], line[1])
	}
	wantRedis(t, c, "SET k v", "+OK")
	for _, line := range lateRedis {
		wantRedis(t, c, line[0], notEveryNode)
	}
	for _, line := range lateInMulti {
		inMulti(t, c, line[0], notEveryNode)
	}
	wantRedis(t, c, "WATCH k", "+OK")
	inMulti(t, c, "SET k w", notEveryNode)
	wantRedis(t, c, "SCAN 0", noOrderYet)
	wantRedis(t, c, "GET k", "$1\r\nv\r\n")
	wantRedis(t, c, "DBSIZE", ":1")
}

// usesRedis does on each node what all nodes know now, though nothing of it has ever been done here.
func usesRedis(t *testing.T, c *harness.Cluster) {
	t.Helper()
	user := redisUser(t, c.Nodes[0])
	for _, n := range c.Nodes {
		harness.MakeUser(t, n, user) // who comes later has it too
		r := redisOn(t, n, user)
		harness.Eventually(t, n.Name+" has heard what all read", func() error {
			if reply := r.do("SCAN", "0"); reply != "*2\r\n$1\r\n0\r\n*0\r\n" {
				return fmt.Errorf("SCAN: %q", reply)
			}
			return nil
		})
		wantRedis(t, r, "SET k v", "+OK")
		for _, line := range lateRedis {
			wantRedis(t, r, line[0], line[1])
		}
		for _, line := range lateInMulti {
			inMulti(t, r, line[0], line[1])
		}
		wantRedis(t, r, "SCAN 0 MATCH k", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n")
		wantRedis(t, r, "FLUSHALL", "+OK")
	}
}

func redisOn(t *testing.T, n *harness.Node, user string) *respConn {
	t.Helper()
	c := dialRESP(t, "tcp", n.Redis)
	wantRedis(t, c, "AUTH "+user+" "+harness.Password, "+OK")
	return c
}

// wantRedis sends a command, whose words have no blanks, and wants a reply that begins so.
func wantRedis(t *testing.T, c *respConn, line, want string) {
	t.Helper()
	if got := c.do(strings.Fields(line)...); !strings.HasPrefix(got, want) {
		t.Errorf("%s: %q, want %q", line, got, want)
	}
}

func inMulti(t *testing.T, c *respConn, line, want string) {
	t.Helper()
	wantRedis(t, c, "MULTI", "+OK")
	wantRedis(t, c, line, "+QUEUED")
	if got := c.do("EXEC"); !strings.HasPrefix(got, want) {
		t.Errorf("MULTI, %s: %q, want %q", line, got, want)
	}
}
