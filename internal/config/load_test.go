package config

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machineOf is a machine for tests: its host name, addresses and variables.
func machineOf(hostname string, addrs []string, environ ...string) Options {
	return Options{
		Environ:  func() []string { return environ },
		Hostname: func() (string, error) { return hostname, nil },
		InterfaceAddrs: func() (found []net.Addr, err error) {
			for _, a := range addrs {
				found = append(found, &net.IPNet{IP: net.ParseIP(a), Mask: net.CIDRMask(24, 32)})
			}
			return found, nil
		},
	}
}

// loadText loads src as if it were the file "f.hcl".
func loadText(o Options, src string) (*Config, error) {
	o.Path = "f.hcl"
	return newLoader(o).load([]byte(src))
}

func mustLoad(t testing.TB, o Options, src string) *Config {
	t.Helper()
	c, err := loadText(o, src)
	if err != nil {
		t.Fatalf("%v\nof\n%s", err, src)
	}
	return c
}

func TestDefaultsWithoutAFile(t *testing.T) {
	c, err := Load(machineOf("host", nil, "PATH=/bin"))
	if err != nil {
		t.Fatal(err)
	}
	if !c.Single || c.NodeName != "ciderd" || c.ClusterName != "default" || c.InsecurePeers {
		t.Errorf("who: %+v", c)
	}
	if c.Text != "localhost:8080" || c.Peer != "" || c.Admin != "127.0.0.1:8081" || c.DataDir != "./ciderd-data" {
		t.Errorf("where: %+v", c)
	}
	if len(c.Nodes) != 1 || c.Nodes[0] != (Node{Name: "ciderd", TextAddress: "localhost:8080"}) {
		t.Errorf("nodes: %+v", c.Nodes)
	}
	want := Limits{MaxValueSize: 512 << 10, MaxConnections: 10000, MaxMemory: MemoryAuto, MaxOutput: 64 << 20, Stall: 30 * time.Second}
	if c.Limits != want || c.Timeouts != (Timeouts{Write: 5 * time.Second, Shutdown: 15 * time.Second}) {
		t.Errorf("limits: %+v", c.Runtime)
	}
	if c.Auth != (Auth{SignupOpen: true, IdleTimeout: 30 * time.Minute, LoginTimeout: time.Minute, HidePassword: "never", BcryptCost: 10}) {
		t.Errorf("auth: %+v", c.Auth)
	}
}

func TestPrecedence(t *testing.T) {
	const file = `
cluster "c" {
  node "a" { address = "127.0.0.1" }
  node "b" {
    address  = "127.0.0.1:7001"
    text     = "127.0.0.1:1001"
    admin    = "127.0.0.1:1002"
    data_dir = "b"
  }
}
data_dir = "file"
listen { text = "127.0.0.1:2001" }
limits { max_users = 5 }
auth { bcrypt_cost = 12 }`
	for _, tc := range []struct {
		what, node string
		environ    []string
		want       string // text peer admin data_dir max_users
	}{
		{"file over default", "a", nil, "127.0.0.1:2001 127.0.0.1:7000 127.0.0.1:8081 file 5"},
		{"node over file", "b", nil, "127.0.0.1:1001 127.0.0.1:7001 127.0.0.1:1002 b 5"},
		{"variable over node", "b", []string{"CIDERD_LISTEN_TEXT=:3", "CIDERD_LISTEN_PEER=:4", "CIDERD_DATA_DIR=env"},
			":3 127.0.0.1:4 127.0.0.1:1002 env 5"},
		{"variable over file", "a", []string{"CIDERD_LIMITS_MAX_USERS=6"}, "127.0.0.1:2001 127.0.0.1:7000 127.0.0.1:8081 file 6"},
		{"variable names the node", "", []string{"CIDERD_NODE=b"}, "127.0.0.1:1001 127.0.0.1:7001 127.0.0.1:1002 b 5"},
		{"flag over variable", "b", []string{"CIDERD_NODE=a"}, "127.0.0.1:1001 127.0.0.1:7001 127.0.0.1:1002 b 5"},
		{"an empty variable is none", "b", []string{"CIDERD_DATA_DIR=", "CIDERD_NODE="}, "127.0.0.1:1001 127.0.0.1:7001 127.0.0.1:1002 b 5"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			o := machineOf("host", nil, tc.environ...)
			o.Node = tc.node
			c := mustLoad(t, o, file)
			got := strings.Join([]string{c.Text, c.Peer, c.Admin, c.DataDir, settingBy("limits.max_users").get(c)}, " ")
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if c.Nodes[0] != (Node{"a", "127.0.0.1:7000", "127.0.0.1:2001", "127.0.0.1", 0, 0}) || c.Nodes[1] != (Node{"b", "127.0.0.1:7001", "127.0.0.1:1001", "127.0.0.1", 0, 0}) {
				t.Errorf("not what other nodes see: %v", c.Nodes)
			}
		})
	}
}

func TestPathFromFlagOverVariable(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(`data_dir = "`+name+`"`), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	o := machineOf("host", nil, environFile+"="+write("variable"))
	if c, err := Load(o); err != nil || c.DataDir != "variable" {
		t.Errorf("variable: %v, %v", c, err)
	}
	o.Path = write("flag")
	if c, err := Load(o); err != nil || c.DataDir != "flag" {
		t.Errorf("flag: %v, %v", c, err)
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.hcl")
	if err := os.WriteFile(large, make([]byte, maxFileSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "missing.hcl"): "no such file",
		dir:                               "is a directory",
		large:                             "more than 65536 bytes",
	} {
		o := machineOf("host", nil)
		o.Path = path
		_, err := Load(o)
		var list ErrorList
		if !errors.As(err, &list) || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestConfigsInTheTree(t *testing.T) {
	for path, want := range map[string]struct {
		cluster string
		insec   bool
		nodes   []Node
	}{
		"../../configs/cluster.hcl": {"prod-cache", true, []Node{
			{"cider-1", "10.0.0.11:7000", "10.0.0.11:8080", "10.0.0.11", 0, 0},
			{"cider-2", "10.0.0.12:7000", "10.0.0.12:8080", "10.0.0.12", 0, 0},
			{"cider-3", "10.0.0.13:7000", "10.0.0.13:8080", "10.0.0.13", 0, 0}}},
		"../../configs/cluster-local.hcl": {"local", false, []Node{
			{"cider-1", "127.0.0.1:7000", "localhost:8080", "127.0.0.1", 0, 0},
			{"cider-2", "127.0.0.1:7100", "localhost:8180", "127.0.0.1", 0, 0},
			{"cider-3", "127.0.0.1:7200", "localhost:8280", "127.0.0.1", 0, 0}}},
	} {
		dirs := map[string]bool{}
		for _, n := range want.nodes {
			o := machineOf("host", nil)
			o.Path, o.Node = path, n.Name
			c, err := Load(o)
			if err != nil {
				t.Fatal(err)
			}
			if c.ClusterName != want.cluster || c.InsecurePeers != want.insec || c.NodeName != n.Name || c.Single {
				t.Errorf("%s: %+v", path, c)
			}
			for i, n := range want.nodes {
				if c.Nodes[i] != n {
					t.Errorf("%s: node %v, want %v", path, c.Nodes[i], n)
				}
			}
			dirs[c.DataDir] = true
		}
		if !want.insec && len(dirs) != 3 {
			t.Errorf("%s: data directories %v", path, dirs)
		}
	}
}

func TestWhichNode(t *testing.T) {
	const file = `
cluster "c" {
  insecure_peers = true
  node "cider-1" { address = "10.0.0.1" }
  node "cider-2.example.org" { address = "10.0.0.2" }
  node "Cider-3" { address = "fd00::3" }
}`
	for _, tc := range []struct {
		what, hostname string
		addrs          []string
		want           string
	}{
		{"host name", "cider-1", nil, "cider-1"},
		{"its first label", "cider-1.example.net", nil, "cider-1"},
		{"the whole of it", "cider-2.example.org", nil, "cider-2.example.org"},
		{"in any case", "cider-3", nil, "Cider-3"},
		{"host name over address", "cider-1", []string{"10.0.0.2"}, "cider-1"},
		{"address", "vm", []string{"127.0.0.1", "10.0.0.2"}, "cider-2.example.org"},
		{"IPv6 address", "vm", []string{"fd00::3"}, "Cider-3"},
		{"nothing fits", "vm", []string{"10.0.0.9"}, ""},
		{"two fit", "vm", []string{"10.0.0.1", "10.0.0.2"}, ""},
	} {
		c, err := loadText(machineOf(tc.hostname, tc.addrs), file)
		switch {
		case tc.want == "" && (err == nil || !strings.Contains(err.Error(), "cider-1 (10.0.0.1), cider-2.example.org (10.0.0.2), Cider-3 (fd00::3)")):
			t.Errorf("%s: %v", tc.what, err)
		case tc.want != "" && (err != nil || c.NodeName != tc.want):
			t.Errorf("%s: %v, %v", tc.what, c, err)
		}
	}
}

func TestWhichNodeWhenTheMachineDoesNotTell(t *testing.T) {
	o := machineOf("", nil)
	o.Hostname = func() (string, error) { return "", errors.New("no name") }
	o.InterfaceAddrs = func() ([]net.Addr, error) { return nil, errors.New("no addresses") }
	const file = `cluster "c" { 
  node "a" { address = "localhost" }
}`
	if _, err := loadText(o, file); err == nil || !strings.Contains(err.Error(), "which of the nodes") {
		t.Error(err)
	}
	o.Node = "a"
	if c := mustLoad(t, o, file); c.Peer != "localhost:7000" || c.Nodes[0].PeerAddress != "localhost:7000" {
		t.Errorf("%+v", c)
	}
}

func TestPeerAddresses(t *testing.T) {
	for _, tc := range []struct {
		what, node, listen  string
		listening, advertis string
	}{
		{"default", `address = "10.0.0.1"`, ``, ":7000", "10.0.0.1:7000"},
		{"port in the address", `address = "10.0.0.1:9"`, ``, ":9", "10.0.0.1:9"},
		{"over the listen block", `address = "10.0.0.1:9"`, `peer = "10.0.0.1:8"`, "10.0.0.1:9", "10.0.0.1:9"},
		{"listen block", `address = "10.0.0.1"`, `peer = ":8"`, ":8", "10.0.0.1:8"},
		{"the node's own", "address = \"10.0.0.1:9\"\npeer = \":5\"", `peer = ":8"`, ":5", "10.0.0.1:9"},
		{"the node's own, no port", "address = \"10.0.0.1\"\npeer = \":5\"", ``, ":5", "10.0.0.1:5"},
		{"name", `address = "Cider.example.org"`, ``, ":7000", "cider.example.org:7000"},
		{"IPv6", `address = "fd00::1"`, ``, ":7000", "[fd00::1]:7000"},
		{"IPv6 and port", `address = "[fd00::1]:9"`, ``, ":9", "[fd00::1]:9"},
		{"loopback stays inside", `address = "127.0.0.1"`, `peer = ":8"`, "127.0.0.1:8", "127.0.0.1:8"},
		{"also of IPv6", `address = "::1"`, `peer = "0.0.0.0:8"`, "[::1]:8", "[::1]:8"},
	} {
		file := "cluster \"c\" {\ninsecure_peers = true\nnode \"a\" {\n" + tc.node + "\n}\n}\nlisten {\n" + tc.listen + "\n}"
		c := mustLoad(t, machineOf("a", nil), file)
		if c.Peer != tc.listening || c.Nodes[0].PeerAddress != tc.advertis {
			t.Errorf("%s: listens on %s, dialed at %s; want %s, %s", tc.what, c.Peer, c.Nodes[0].PeerAddress, tc.listening, tc.advertis)
		}
	}
}

func TestServiceVariablesOfKubernetesAreIgnored(t *testing.T) {
	o := machineOf("host", nil, "CIDERD_SERVICE_HOST=10.1.2.3", "CIDERD_SERVICE_PORT=8080", "CIDERD_SERVICE_PORT_TEXT=8080",
		"CIDERD_PORT=tcp://10.1.2.3:8080", "CIDERD_PORT_8080_TCP=tcp://10.1.2.3:8080", "CIDERD_PORT_8080_TCP_ADDR=10.1.2.3",
		"CIDERD_ADMIN_SERVICE_HOST=10.1.2.4", "CIDERDX=1")
	if _, err := Load(o); err != nil {
		t.Error(err)
	}
}

// Nodes of one machine may share the health port, which none of them needs, as long as none of them
// says that it wants it.
func TestSharedAdminAddress(t *testing.T) {
	const file = `cluster "c" {
  node "a" {
    address = "127.0.0.1:7501"
    text = "127.0.0.1:8501"
    data_dir = "a"
  }
  node "b" {
    address = "127.0.0.1:7502"
    text = "127.0.0.1:8502"
    data_dir = "b"
    admin = "127.0.0.1:8081"
  }
}
`
	path := filepath.Join(t.TempDir(), "cluster.hcl")
	load := func(text string) error {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(Options{Path: path, Node: "a", Environ: func() []string { return nil }})
		return err
	}
	if err := load(file); err == nil || !strings.Contains(err.Error(), "collides") {
		t.Errorf("an address that a node says it wants, and another has: %v", err)
	}
	if err := load(strings.ReplaceAll(file, "    admin = \"127.0.0.1:8081\"\n", "")); err != nil {
		t.Errorf("the default address, twice: %v", err)
	}
}

// Without a file there is a port for clients of Redis, unless one is named, or none; with one it is there if it is named.
func TestThePortForRedis(t *testing.T) {
	for _, tc := range []struct {
		file, variable, want string
		byDefault            bool
	}{
		{"", "", "localhost:6379", true},
		{"", "none", "", false},
		{"", "127.0.0.1:7777", "127.0.0.1:7777", false},
		{"log {}", "", "", false},
		{"listen { redis = \":6379\" }", "", ":6379", false},
		{one, "", "", false},
		{one + "listen { redis = \":6379\" }", "", ":6379", false},
		{one + "listen { redis = \":6379\" }", "none", "", false},
		{"cluster \"c\" {\n  node \"a\" {\n    address = \"127.0.0.1\"\n    redis = \"127.0.0.1:7\"\n  }\n}\n", "", "127.0.0.1:7", false},
	} {
		var env []string
		if tc.variable != "" {
			env = append(env, "CIDERD_LISTEN_REDIS="+tc.variable)
		}
		o := machineOf("a", nil, env...)
		load := func() (*Config, error) { return loadText(o, tc.file) }
		if tc.file == "" {
			load = func() (*Config, error) { return Load(o) }
		}
		c, err := load()
		if err != nil || c.Redis != tc.want || c.RedisByDefault != tc.byDefault {
			t.Errorf("%q, %q: %+v, %v", tc.file, tc.variable, c, err)
		}
	}
	// It is nothing to worry about that the port by default is another one of the node's.
	if _, err := Load(machineOf("a", nil, "CIDERD_LISTEN_TEXT=:6379")); err != nil {
		t.Error(err)
	}
	if _, err := Load(machineOf("a", nil, "CIDERD_LISTEN_TEXT=:6379", "CIDERD_LISTEN_REDIS=:6379")); err == nil {
		t.Error("one port for two protocols")
	}
	if _, err := loadText(machineOf("a", nil), "listen { redis_tls = \":6380\" }"); err == nil || !strings.Contains(err.Error(), "listen.redis_tls needs tls.cert_file") {
		t.Error(err)
	}
}
