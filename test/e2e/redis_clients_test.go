//go:build e2e

package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ciderd/test/harness"
)

// redisClient is a program that uses a client library of Redis as its users do; it ends well if each reply was right.
type redisClient struct {
	name  string
	needs []string // a command that fails if the library is not there
	args  []string
	tls   bool // it can encrypt
	build func(t *testing.T, dir string)
}

// The programs are in redisclients.
var redisClients = []redisClient{
	{name: "redis-py", needs: []string{"/usr/bin/python3", "-c", "import redis"}, args: []string{"/usr/bin/python3", "client.py"}, tls: true},
	{name: "django-redis", needs: []string{"/usr/bin/python3", "-c", "import django_redis"}, args: []string{"/usr/bin/python3", "django/client.py"}, tls: true},
	{name: "redis-rb", needs: []string{"ruby", "-e", "require 'redis'"}, args: []string{"ruby", "client.rb"}, tls: true},
	{name: "phpredis", needs: []string{"php", "-r", "new Redis();"}, args: []string{"php", "client.php"}, tls: true},
	{name: "perl", needs: []string{"perl", "-MRedis", "-e", "1"}, args: []string{"perl", "client.pl"}},
	{name: "hiredis", needs: []string{"test", "-e", "/usr/include/hiredis/hiredis.h"}, args: []string{"DIR/hiredis"}, build: buildHiredis},
	{name: "go-redis", needs: []string{"go", "version"}, args: []string{"DIR/goclients", "go-redis"}, tls: true, build: buildGoClients},
	{name: "rueidis", needs: []string{"go", "version"}, args: []string{"DIR/goclients", "rueidis"}, tls: true, build: buildGoClients},
	{name: "ioredis", needs: []string{"npm", "--version"}, args: []string{"node", "node/ioredis.mjs"}, tls: true, build: installNode},
	{name: "node-redis", needs: []string{"npm", "--version"}, args: []string{"node", "node/noderedis.mjs"}, tls: true, build: installNode},
	{name: "express-session", needs: []string{"npm", "--version"}, args: []string{"node", "node/web.mjs"}, tls: true, build: installNode},
	{name: "cache-manager, keyv", needs: []string{"npm", "--version"}, args: []string{"node", "node/caches.mjs"}, tls: true, build: installNode},
}

var builtClients = struct {
	sync.Mutex
	done map[string]bool
}{done: map[string]bool{}}

// buildOnce runs a step of a build once for all tests that want it in the same place.
func buildOnce(t *testing.T, dir string, args ...string) {
	t.Helper()
	what := strings.Join(append(args, dir), " ")
	builtClients.Lock()
	defer builtClients.Unlock()
	if builtClients.done[what] {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	builtClients.done[what] = true
}

func buildHiredis(t *testing.T, dir string) {
	buildOnce(t, "redisclients", "gcc", "-Wall", "-Werror", "-o", filepath.Join(dir, "hiredis"), "client.c", "-lhiredis")
}

func buildGoClients(t *testing.T, dir string) {
	buildOnce(t, filepath.Join("redisclients", "go"), "go", "build", "-o", filepath.Join(dir, "goclients"), ".")
}

func installNode(t *testing.T, _ string) {
	buildOnce(t, filepath.Join("redisclients", "node"), "npm", "ci", "--no-audit", "--no-fund")
}

// reach is where a client finds a node; ca is empty on a port that does not encrypt.
type reach struct{ address, ca, user string }

// run runs the program to its end.
func (c *redisClient) run(t *testing.T, dir string, to reach) {
	t.Helper()
	host, port, err := net.SplitHostPort(to.address)
	if err != nil {
		t.Fatal(err)
	}
	args := make([]string, len(c.args))
	for i, arg := range c.args {
		args[i] = strings.ReplaceAll(arg, "DIR", dir)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = "redisclients"
	cmd.Env = append(os.Environ(), "REDIS_HOST="+host, "REDIS_PORT="+port, "REDIS_USER="+to.user, "REDIS_PASSWORD="+harness.Password,
		"REDIS_CA="+to.ca, "PREFIX="+harness.Unique()+":")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "ok\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestRedisClients runs every program against a node that is alone, a follower of three, and the port that encrypts.
func TestRedisClients(t *testing.T) {
	dir := t.TempDir()
	one, three := startEncryptedRedis(t, 1), startEncryptedRedis(t, 3)
	follower := three.Followers(three.Leader())[0]
	for _, c := range redisClients {
		t.Run(c.name, func(t *testing.T) {
			if out, err := exec.CommandContext(t.Context(), c.needs[0], c.needs[1:]...).CombinedOutput(); err != nil {
				t.Skipf("LEFT OUT: %q: %v: %s", c.needs, err, out)
			}
			if c.build != nil {
				c.build(t, dir)
			}
			t.Run("alone", func(t *testing.T) { c.run(t, dir, reach{one.Nodes[0].Redis, "", redisUser(t, one.Nodes[0])}) })
			t.Run("follower", func(t *testing.T) { c.run(t, dir, reach{follower.Redis, "", redisUser(t, follower)}) })
			if c.tls {
				t.Run("encrypted", func(t *testing.T) {
					c.run(t, dir, reach{follower.RedisTLS, three.Authority(), redisUser(t, follower)})
				})
			}
		})
	}
}

// startEncryptedRedis starts nodes with both ports for clients of Redis.
func startEncryptedRedis(t *testing.T, nodes int) *harness.Cluster {
	t.Helper()
	c := harness.New(t, harness.Options{Nodes: nodes, Redis: true})
	c.MakeCertificates()
	c.WriteConfig("auth { bcrypt_cost = 4 }\n")
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	return c
}

// redisUser signs a user up, and returns the name.
func redisUser(t *testing.T, n *harness.Node) string {
	t.Helper()
	name := "u" + harness.Unique()
	if reply := dialRESP(t, "tcp", n.Redis).do("SIGNUP", name, harness.Password); reply != "+OK\r\n" {
		t.Fatalf("SIGNUP %s: %q", name, reply)
	}
	return name
}

// TestRedisTools runs redis-cli and redis-benchmark.
func TestRedisTools(t *testing.T) {
	harness.Need(t, "redis-cli")
	harness.Need(t, "redis-benchmark")
	c := harness.Start(t, harness.Options{Nodes: 3, Redis: true, Config: "auth { bcrypt_cost = 4 }\n"})
	n := c.Followers(c.Leader())[0]
	user := redisUser(t, n)
	host, port, _ := net.SplitHostPort(n.Redis)
	at := []string{"-h", host, "-p", port, "--user", user, "--pass", harness.Password}
	cli := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "redis-cli", append(append(at, "--no-auth-warning"), args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("redis-cli %q: %v: %s", args, err, out)
		}
		return strings.TrimSuffix(string(out), "\n")
	}
	for _, line := range [][2]string{
		{"SET k hello EX 100", "OK"}, {"GET k", "hello"}, {"-3 GET k", "hello"}, {"INCR n", "1"}, {"EXISTS k n none", "2"},
		{"--scan --pattern k*", "k"},
	} {
		if got := cli(strings.Fields(line[0])...); got != line[1] {
			t.Errorf("redis-cli %s: %q, want %q", line[0], got, line[1])
		}
	}
	bench := exec.CommandContext(t.Context(), "redis-benchmark", "-h", host, "-p", port, "--user", user, "-a", harness.Password,
		"-t", "set,get,incr,mset", "-n", "5000", "-c", "20", "-P", "16", "-r", "1000", "-q")
	out, err := bench.CombinedOutput()
	if err != nil || strings.Count(string(out), "requests per second") < 4 || strings.Contains(string(out), "Error") {
		t.Errorf("redis-benchmark: %v\n%s", err, out)
	}
}
