//go:build e2e

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

const haproxyFile = "../../deploy/haproxy/haproxy.cfg"

// needHAProxy leaves the test out where there is none; under CI too, as nothing of ciderd needs it.
func needHAProxy(t *testing.T) (program string) {
	t.Helper()
	for _, name := range []string{"haproxy", "/usr/sbin/haproxy"} { // which is not in everybody's PATH
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("LEFT OUT: haproxy is not there")
	return ""
}

// TestHAProxyFile: HAProxy has nothing to say against the file that is shipped.
func TestHAProxyFile(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), needHAProxy(t), "-c", "-f", haproxyFile).CombinedOutput()
	if err != nil || regexp.MustCompile(`(?i)warning|alert`).Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
}

// balancer is HAProxy with the file that is shipped, in front of a cluster. Only addresses, ports and paths are others, and
// it takes fewer connections than a test may have descriptors for.
type balancer struct {
	t      *testing.T
	ports  map[string]string // the address to connect to, by the name of what listens
	socket string
}

// more is added to what holds for all servers.
func startHAProxy(t *testing.T, c *harness.Cluster, more string) *balancer {
	t.Helper()
	program := needHAProxy(t)
	text, err := os.ReadFile(haproxyFile)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.Dir, "haproxy-"+harness.Unique())
	config, log := path+".cfg", path+".log"
	b := &balancer{t: t, ports: map[string]string{}, socket: path + ".sock"}
	if err := os.WriteFile(config, []byte(b.forTest(c, string(text), more)), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := harness.StartProcess(program, c.Dir, log, nil, "-db", "-f", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if text, _ := os.ReadFile(log); t.Failed() {
			t.Logf("HAProxy says\n%s", text)
		}
	})
	harness.Eventually(t, "HAProxy runs", func() error {
		_, err := b.states("text")
		return err
	})
	return b
}

var serverLine = regexp.MustCompile(`^\tserver cider-([123]) 10\.0\.0\.1[123]:(\d+)$`)

// forTest is the file with the addresses of the test.
func (b *balancer) forTest(c *harness.Cluster, text, more string) string {
	b.t.Helper()
	name, servers := "", 0
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if n, is := strings.CutPrefix(line, "listen "); is {
			name = n
		}
		switch {
		case strings.HasPrefix(line, "\tbind :"):
			b.ports[name] = fmt.Sprintf("127.0.0.1:%d", harness.FreePort(b.t))
			lines[i] = "\tbind " + b.ports[name]
		case strings.HasPrefix(line, "\tdefault-server "):
			lines[i] = line + more
		case strings.HasPrefix(line, "\tstats socket "):
			lines[i] = "\tstats socket " + b.socket
		case line == "\tmaxconn 20000":
			lines[i] = "\tmaxconn 1000"
		case line == "\tuser haproxy" || line == "\tgroup haproxy":
			lines[i] = ""
		}
		if m := serverLine.FindStringSubmatch(line); m != nil {
			n := c.Nodes[m[1][0]-'1']
			address := map[string]string{"8080": n.Text, "8443": n.TextTLS, "6379": n.Redis, "6380": n.RedisTLS}[m[2]]
			_, admin, err := net.SplitHostPort(n.Admin)
			if err != nil || address == "" {
				b.t.Fatalf("%s: %v", line, err)
			}
			lines[i] = fmt.Sprintf("\tserver cider-%s %s port %s", m[1], address, admin)
			servers++
		}
	}
	if len(b.ports) != 5 || servers != 3*len(b.ports) {
		b.t.Fatalf("%d ports, %d servers", len(b.ports), servers)
	}
	return strings.Join(lines, "\n")
}

// states is how HAProxy takes the nodes behind a port to be, UP or DOWN; empty: no check has ended yet, so UP as well.
func (b *balancer) states(port string) (states [3]string, err error) {
	conn, err := net.DialTimeout("unix", b.socket, harness.Limit)
	if err != nil {
		return states, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "show stat\n"); err != nil {
		return states, err
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		return states, err
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(strings.TrimSpace(string(text)), "# "))).ReadAll()
	if err != nil {
		return states, err
	}
	column, checked := slices.Index(rows[0], "status"), slices.Index(rows[0], "check_status")
	for _, row := range rows[1:] {
		if number, is := strings.CutPrefix(row[1], "cider-"); is && row[0] == port && !strings.HasSuffix(row[checked], "INI") {
			states[number[0]-'1'], _, _ = strings.Cut(row[column], " ") // while it counts checks: "UP 1/2"
		}
	}
	return states, nil
}

// waitStates waits until HAProxy takes the nodes behind a port to be so.
func (b *balancer) waitStates(port string, want ...string) {
	b.t.Helper()
	begun := time.Now()
	harness.Eventually(b.t, fmt.Sprintf("%s: %q", port, want), func() error {
		if got, err := b.states(port); err != nil || !slices.Equal(got[:], want) {
			return fmt.Errorf("%q, %v", got, err)
		}
		return nil
	})
	b.t.Logf("%s: %v after %v", port, want, time.Since(begun).Round(10*time.Millisecond))
}

// login is a client of the text port, and the name of the node that serves it.
func (b *balancer) login(user string) (*harness.Client, string, error) {
	c, err := harness.Dial(b.ports["text"])
	if err != nil {
		return nil, "", err
	}
	err = c.Login(user, harness.Password)
	var facts map[string]string
	if err == nil {
		facts, err = c.Status()
	}
	if err != nil {
		_ = c.Close()
		return nil, "", err
	}
	return c, facts["node"], nil
}

// crowd are new clients by the node that serves them: some are on each of these nodes. All get in.
func (b *balancer) crowd(user string, nodes ...*harness.Node) map[string][]*harness.Client {
	b.t.Helper()
	on := map[string][]*harness.Client{}
	for range 30 {
		c, node, err := b.login(user)
		if err != nil {
			b.t.Fatalf("a client that connects by way of HAProxy: %v", err)
		}
		b.t.Cleanup(func() { _ = c.Close() })
		on[node] = append(on[node], c)
	}
	for _, n := range nodes {
		if len(on[n.Name]) == 0 {
			b.t.Errorf("no client is on %s", n.Name)
		}
	}
	return on
}

// TestHAProxy kills a node and drains one, and has leadership move, behind HAProxy: the clients of other nodes notice
// nothing, and its own are on others when they connect again.
func TestHAProxy(t *testing.T) {
	needHAProxy(t)
	c := harness.New(t, harness.Options{Nodes: 3, Redis: true})
	c.MakeCertificates()
	c.WriteConfig("listen { proxy_from = [\"127.0.0.1\"] }\nauth { bcrypt_cost = 4 }\n")
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	user := "balanced-" + harness.Unique()
	harness.MakeUser(t, c.Nodes[0], user)
	b := startHAProxy(t, c, "")
	for _, port := range []string{"text", "text-tls", "redis", "redis-tls"} {
		b.waitStates(port, "UP", "UP", "UP")
	}
	b.everyPort(c, user)
	b.tellsAddresses(c, user)

	first, second := c.Nodes[0], c.Nodes[1]
	on := b.crowd(user, c.Nodes...)
	first.Kill()
	b.crowd(user) // at once: a node that does not let them in is passed over
	for _, lost := range on[first.Name] {
		if line, err := lost.ReadLine(); err == nil {
			t.Errorf("a client of the dead node is told %q", line)
		}
	}
	b.goOn(on, first.Name)
	b.waitStates("text", "DOWN", "UP", "UP")
	first.Start()
	b.waitStates("text", "UP", "UP", "UP")

	b.crowd(user, first) // which has fewest
	on = b.crowd(user, second)
	does(t, command(t, c, second, "", "drain"), second.Name+" is drained")
	for _, sent := range on[second.Name] {
		if line, err := sent.ReadLine(); err != nil || line != sentAway {
			t.Errorf("a client of the node that drains is told %q, %v", line, err)
		}
	}
	b.goOn(on, second.Name)
	b.waitStates("text", "UP", "DOWN", "UP")
	if on := b.crowd(user, first); len(on[second.Name]) > 0 {
		t.Error("clients are sent to a node that drains")
	}
	does(t, command(t, c, second, "", "undrain"))
	b.waitStates("text", "UP", "UP", "UP")

	on = b.crowd(user, second)
	second.Pause() // it says nothing, and closes nothing
	b.waitStates("text", "UP", "DOWN", "UP")
	for _, lost := range on[second.Name] {
		if line, err := lost.ReadLine(); err == nil {
			t.Errorf("a client of the node that hangs is told %q", line)
		}
	}
	b.goOn(on, second.Name)
	b.crowd(user, first)
	second.Resume()
	b.waitStates("text", "UP", "UP", "UP")

	b.followsTheLeader(c, user)
}

// TestHAProxyAsksWithTLS: with listen.admin_tls the checks take what docs/loadbalancer.md says, and nothing else does.
func TestHAProxyAsksWithTLS(t *testing.T) {
	needHAProxy(t)
	c := harness.New(t, harness.Options{Nodes: 3, Redis: true})
	c.MakeCertificates()
	c.WriteConfig("listen {\n proxy_from = [\"127.0.0.1\"]\n admin_tls = true\n}\n")
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	guide, err := os.ReadFile("../../docs/loadbalancer.md")
	if err != nil {
		t.Fatal(err)
	}
	const words = "check-ssl verify required ca-file /etc/haproxy/ca.pem"
	if !strings.Contains(string(guide), "`"+words+"`") {
		t.Fatal("the guide says something else")
	}
	startHAProxy(t, c, "").waitStates("text", "DOWN", "DOWN", "DOWN")
	startHAProxy(t, c, " "+strings.Replace(words, "/etc/haproxy/ca.pem", c.Authority(), 1)).waitStates("text", "UP", "UP", "UP")
}

// goOn wants the clients of the other nodes to be served as before.
func (b *balancer) goOn(on map[string][]*harness.Client, but string) {
	b.t.Helper()
	for node, clients := range on {
		for _, c := range clients {
			if node != but {
				mustDo(b.t, c, "PING", "PONG")
			}
		}
	}
}

// everyPort has a client use each port.
func (b *balancer) everyPort(c *harness.Cluster, user string) {
	b.t.Helper()
	pem, err := os.ReadFile(c.Authority())
	if err != nil {
		b.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for port, ask := range map[string][2]string{
		"text": {"PING\nQUIT\n", "LOGIN or SIGNUP\nPONG\nBYE\n"}, "text-tls": {"PING\nQUIT\n", "LOGIN or SIGNUP\nPONG\nBYE\n"},
		"redis":     {harness.RESP("AUTH", user, harness.Password) + harness.RESP("QUIT"), "+OK\r\n+OK\r\n"},
		"redis-tls": {harness.RESP("AUTH", user, harness.Password) + harness.RESP("QUIT"), "+OK\r\n+OK\r\n"},
	} {
		conn, err := harness.Connect(b.ports[port])
		if err != nil {
			b.t.Fatal(err)
		}
		if strings.HasSuffix(port, "-tls") {
			conn = tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
		}
		_ = conn.SetDeadline(time.Now().Add(harness.Limit))
		if _, err := io.WriteString(conn, ask[0]); err != nil {
			b.t.Errorf("%s: %v", port, err)
		}
		if got, err := io.ReadAll(conn); err != nil || string(got) != ask[1] {
			b.t.Errorf("%s: %q, %v", port, got, err)
		}
		_ = conn.Close()
	}
}

// tellsAddresses has a login fail, and wants a node to know where it came from.
func (b *balancer) tellsAddresses(c *harness.Cluster, user string) {
	b.t.Helper()
	conn, err := harness.ConnectFrom(net.IPv4(127, 98, 76, 54), b.ports["text"])
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "LOGIN "+user+" wrong\n"); err != nil {
		b.t.Fatal(err)
	}
	harness.Eventually(b.t, "a node logs the client's address", func() error {
		for _, n := range c.Nodes {
			if text, err := os.ReadFile(n.LogPath); err == nil && strings.Contains(string(text), `"address":"127.98.76.54"`) {
				return nil
			}
		}
		return errors.New("none does")
	})
}

// followsTheLeader wants the port for writers to lead to the leader, and to close what it has when another one leads.
func (b *balancer) followsTheLeader(c *harness.Cluster, user string) {
	b.t.Helper()
	states := func(leader *harness.Node) []string {
		up := []string{"DOWN", "DOWN", "DOWN"}
		up[slices.Index(c.Nodes, leader)] = "UP"
		return up
	}
	leader := c.Leader()
	b.waitStates("redis-leader", states(leader)...)
	conn := dialRESP(b.t, "tcp", b.ports["redis-leader"])
	if got := conn.do("AUTH", user, harness.Password); got != "+OK\r\n" {
		b.t.Fatalf("AUTH: %q", got)
	}
	does(b.t, command(b.t, c, leader, "", "transfer"), leader.Name+" led before")
	b.waitStates("redis-leader", states(c.Leader())...)
	if rest, err := io.ReadAll(conn.in); len(rest) > 0 {
		b.t.Errorf("a client of the old leader is told %q, %v", rest, err)
	}
}
