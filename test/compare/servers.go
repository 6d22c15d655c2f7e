package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"ciderd/internal/bench"
	"ciderd/test/peers"
)

// cluster is some processes that are one server to a client.
type cluster struct {
	nodes  []*process
	text   []string // addresses, of each node
	redis  []string
	admin  []string
	leader func() (int, error) // which node leads
}

func (c *cluster) kill() {
	for _, n := range c.nodes {
		n.kill()
	}
}

func (c *cluster) cpu() (sum time.Duration) {
	for _, n := range c.nodes {
		sum += n.cpu()
	}
	return sum
}

const (
	user     = "compare"
	password = "compare-secret-0815"
)

// startCiderd starts a cluster of so many nodes and signs a user up.
func startCiderd(s *settings, name string, nodes int) (*cluster, error) {
	dir := filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	c := &cluster{}
	var file strings.Builder
	fmt.Fprintf(&file, "cluster %q {\n", name)
	loopback := func() string { return "127.0.0.1:" + freePort() }
	for i := range nodes {
		node, peer := fmt.Sprintf("n%d", i+1), loopback()
		c.text, c.redis, c.admin = append(c.text, loopback()), append(c.redis, loopback()), append(c.admin, loopback())
		fmt.Fprintf(&file, "  node %q {\n    address = %q\n    peer = %q\n    text = %q\n    redis = %q\n    admin = %q\n    data_dir = %q\n  }\n",
			node, peer, peer, c.text[i], c.redis[i], c.admin[i], filepath.Join(dir, node))
		c.nodes = append(c.nodes, newProcess(dir, node, s.binary, "run", "-config", filepath.Join(dir, "cluster.hcl"), "-node", node))
	}
	// 10,000 logins by bcrypt's usual cost would take longer than all else.
	file.WriteString("}\nlimits {\n  max_connections = 50000\n}\nauth {\n  bcrypt_cost = 4\n}\n")
	if err := os.WriteFile(filepath.Join(dir, "cluster.hcl"), []byte(file.String()), 0o666); err != nil {
		return nil, err
	}
	c.leader = c.ciderdLeader
	for _, n := range c.nodes {
		if err := n.start(); err != nil {
			c.kill()
			return nil, err
		}
	}
	if err := c.ready(); err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}

// ready waits until all nodes take the user's login, and one of them leads.
func (c *cluster) ready() error {
	for i, n := range c.nodes {
		if err := n.until("login", func() error { return login(c.text[i]) }); err != nil {
			return err
		}
		if err := n.until("ready", func() error { return asked("http://" + c.admin[i] + "/health/writable") }); err != nil {
			return err
		}
	}
	return c.nodes[0].until("a leader", func() error {
		_, err := c.leader()
		return err
	})
}

func asked(url string) error {
	client := http.Client{Timeout: time.Second}
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, r.Status)
	}
	return nil
}

// ciderdLeader returns the node that says that it leads.
func (c *cluster) ciderdLeader() (leader int, err error) {
	for i, a := range c.admin {
		if err = asked("http://" + a + "/health/leader"); err == nil {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no node leads: %w", err)
}

// login logs in, or signs up where there is no such user yet.
func login(address string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(conn)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	line := ""
	for _, verb := range []string{"LOGIN", "SIGNUP"} {
		if _, err := fmt.Fprintf(conn, "%s %s %s\n", verb, user, password); err != nil {
			return err
		}
		if line, err = in.ReadString('\n'); err != nil || strings.Contains(line, "success") {
			return err
		}
	}
	return fmt.Errorf("login: %s", line)
}

// startOne starts a server of one process.
func startOne(s *settings, name, address, binary string, args ...string) (*cluster, error) {
	path, err := program(binary)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	p := newProcess(dir, "server", path, args...)
	if err := p.start(); err != nil {
		return nil, err
	}
	c := &cluster{nodes: []*process{p}, text: []string{address}, leader: func() (int, error) { return 0, nil }}
	if err := p.until("start", answers(address)); err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}

func startRedis(s *settings, name string, always bool) (*cluster, error) {
	port := freePort()
	args := []string{"--port", port, "--bind", "127.0.0.1", "--save", ""}
	if always {
		args = append(args, "--appendonly", "yes", "--appendfsync", "always")
	}
	return startOne(s, name, "127.0.0.1:"+port, "redis-server", args...)
}

func startMemcached(s *settings, name string) (*cluster, error) {
	port := freePort()
	args := []string{"-l", "127.0.0.1", "-p", port, "-U", "0", "-m", "4096", "-c", "20000"}
	if os.Getuid() == 0 {
		args = append(args, "-u", "root")
	}
	return startOne(s, name, "127.0.0.1:"+port, "memcached", args...)
}

func startEcho(s *settings, name string) (*cluster, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address := "127.0.0.1:" + freePort()
	return startOne(s, name, address, self, "-echo", address)
}

// startEtcd starts a cluster of so many nodes.
func startEtcd(s *settings, name string, nodes int) (*cluster, error) {
	path, err := program("etcd")
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	c := &cluster{}
	var peers, all []string
	for i := range nodes {
		c.text, peers = append(c.text, "127.0.0.1:"+freePort()), append(peers, "http://127.0.0.1:"+freePort())
		all = append(all, "e"+strconv.Itoa(i)+"="+peers[i])
	}
	for i := range nodes {
		node := "e" + strconv.Itoa(i)
		c.nodes = append(c.nodes, newProcess(dir, node, path, "--name", node, "--data-dir", filepath.Join(dir, node), "--logger", "zap", "--log-level", "error",
			"--listen-client-urls", "http://"+c.text[i], "--advertise-client-urls", "http://"+c.text[i],
			"--listen-peer-urls", peers[i], "--initial-advertise-peer-urls", peers[i],
			"--initial-cluster", strings.Join(all, ","), "--initial-cluster-state", "new", "--initial-cluster-token", name))
		if err := c.nodes[i].start(); err != nil {
			c.kill()
			return nil, err
		}
	}
	c.leader = c.etcdLeader
	if err := c.etcdReady(); err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}

// etcdReady waits until every node answers a read that the leader has to confirm.
func (c *cluster) etcdReady() error {
	for i, n := range c.nodes {
		if err := n.until("etcd", func() error {
			client, err := etcdClient(c.text[i])
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			_, err = client.Get(ctx, "ready")
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) etcdLeader() (leader int, err error) {
	for i, a := range c.text {
		client, e := etcdClient(a)
		if e != nil {
			return 0, e
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		status, e := client.Status(ctx, a)
		cancel()
		_ = client.Close()
		if e == nil && status.Leader == status.Header.MemberId {
			return i, nil
		}
		err = e
	}
	return 0, fmt.Errorf("no node of etcd leads: %v", err)
}

func etcdClient(address string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{address}, DialTimeout: 5 * time.Second, Logger: quiet})
}

// system is something that is asked.
type system struct {
	name    string
	keys    int  // that it is asked for
	oneOnly bool // it is asked for one at a time on a connection
	noSet   bool
	driver  func() bench.Driver
	address func() (string, error)
	cluster *cluster
}

// on returns what gives the address of one of a cluster's nodes, as leadership is now.
func (c *cluster) on(leads bool, addresses []string) func() (string, error) {
	return func() (string, error) {
		leader, err := c.leader()
		if err != nil {
			return "", err
		}
		if !leads {
			leader = (leader + 1) % len(addresses)
		}
		return addresses[leader], nil
	}
}

func text() bench.Driver { return &bench.Stream{Dialect: bench.Text{User: user, Password: password}} }

func resp() bench.Driver { return &bench.Stream{Dialect: bench.RESP{User: user, Password: password}} }

func redis() bench.Driver { return &bench.Stream{Dialect: bench.RESP{}} }

const (
	usualKeys = 100_000
	etcdKeys  = 10_000 // it takes some 2,000 writes a second
)

// startAll starts what is compared. What is not installed is left out, which it tells.
func startAll(s *settings) (all []*system, left []string, err error) {
	add := func(name string, c *cluster, driver func() bench.Driver, address func() (string, error)) *system {
		one := &system{name: name, keys: usualKeys, driver: driver, address: address, cluster: c}
		all = append(all, one)
		return one
	}
	start := func(c *cluster, e error, then func(*cluster)) {
		switch {
		case errors.Is(e, errMissing):
			if !slices.Contains(left, e.Error()) {
				left = append(left, e.Error())
				say("left out: %v", e)
			}
		case e != nil:
			err = joined(err, e)
		default:
			then(c)
		}
	}
	c, e := startCiderd(s, "three", 3)
	start(c, e, func(c *cluster) {
		add("ciderd, leader", c, text, c.on(true, c.text))
		add("ciderd, follower", c, text, c.on(false, c.text))
		add("ciderd, leader, RESP", c, resp, c.on(true, c.redis))
	})
	c, e = startCiderd(s, "one", 1)
	start(c, e, func(c *cluster) { add("ciderd, one node", c, text, c.on(true, c.text)) })
	c, e = startEtcd(s, "etcd-three", 3)
	start(c, e, func(c *cluster) {
		one := add("etcd, leader of three", c, func() bench.Driver { return &etcd{} }, c.on(true, c.text))
		one.keys, one.oneOnly = etcdKeys, true
	})
	c, e = startEtcd(s, "etcd-one", 1)
	start(c, e, func(c *cluster) {
		one := add("etcd, one node", c, func() bench.Driver { return &etcd{} }, c.on(true, c.text))
		one.keys, one.oneOnly = etcdKeys, true
	})
	c, e = startRedis(s, "redis-always", true)
	start(c, e, func(c *cluster) { add("Redis, fsync always", c, redis, c.on(true, c.text)) })
	c, e = startRedis(s, "redis-plain", false)
	start(c, e, func(c *cluster) { add("Redis, no disk", c, redis, c.on(true, c.text)) })
	c, e = startMemcached(s, "memcached")
	start(c, e, func(c *cluster) {
		add("memcached", c, func() bench.Driver { return &bench.Stream{Dialect: peers.Memcached{}} }, c.on(true, c.text))
	})
	c, e = startEcho(s, "echo")
	start(c, e, func(c *cluster) {
		add("an echo in Go", c, func() bench.Driver { return &bench.Stream{Dialect: peers.Echo{}} }, c.on(true, c.text))
		all[len(all)-1].noSet, all[len(all)-1].oneOnly = true, true // it has no requests to tell apart
	})
	return all, left, err
}
