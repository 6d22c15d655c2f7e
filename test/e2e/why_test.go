//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// blocks are the node blocks of a cluster's file.
func blocks(t *testing.T, c *harness.Cluster) []string {
	t.Helper()
	text, err := os.ReadFile(c.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?s)  node "n\d+" \{.*?\n  \}\n`).FindAllString(string(text), -1)
}

// runWith starts a node of the cluster with a file of its own.
func runWith(t *testing.T, c *harness.Cluster, n *harness.Node, cluster string, nodes []string) (*harness.Process, string) {
	t.Helper()
	file, log := filepath.Join(c.Dir, n.Name+"-own.hcl"), filepath.Join(c.Dir, n.Name+"-own.log")
	text := fmt.Sprintf("cluster %q {\n  insecure_peers = true\n%s}\n", cluster, strings.Join(nodes, ""))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := harness.StartProcess(harness.Binary(t), c.Dir, log, nil, "-config", file, "-node", n.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	return p, log
}

// getReady is the status and the body of a node's /health/ready.
func getReady(n *harness.Node) (int, string, error) {
	resp, err := http.Get("http://" + n.Admin + "/health/ready")
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// says wants the reason in the log, and in /health/ready.
func says(t *testing.T, n *harness.Node, log, why string) {
	t.Helper()
	words := regexp.MustCompile(why)
	harness.Eventually(t, n.Name+" says why", func() error {
		text, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		code, body, err := getReady(n)
		if err != nil {
			return err
		}
		if code != http.StatusServiceUnavailable || !words.MatchString(body) || !words.MatchString(strings.ReplaceAll(string(text), `\"`, `"`)) {
			return fmt.Errorf("no %q in %d %q, or not in the log:\n%s", why, code, body, text)
		}
		return nil
	})
}

// TestWhyANodeDoesNotAnswer: whatever is wrong between two nodes has a phrase of its own, in the log and in
// /health/ready; and two files that have the same nodes in another order are the same.
func TestWhyANodeDoesNotAnswer(t *testing.T) {
	t.Parallel()
	c := harness.New(t, harness.Options{Nodes: 3})
	n1, n2, n3 := c.Nodes[0], c.Nodes[1], c.Nodes[2]
	right := blocks(t, c)
	address := func(i int) string { return regexp.MustCompile(`address = "([^"]+)"`).FindStringSubmatch(right[i])[1] }
	with := func(i int, replaced string) []string {
		nodes := slices.Clone(right)
		nodes[i] = strings.Replace(nodes[i], `address = "`+address(i)+`"`, `address = "`+replaced+`"`, 1)
		return nodes
	}
	swapped := with(1, address(2))
	swapped[2] = with(2, address(1))[2]
	n4 := strings.NewReplacer(`"n3"`, `"n4"`, n3.Text, "127.0.0.1:1", n3.Admin, "127.0.0.1:2", address(2), "127.0.0.1:3", n3.DataDir, n3.DataDir+"4").Replace(right[2])

	for _, tc := range []struct {
		name    string
		first   []string // of n1
		cluster string   // of n2
		second  []string // of n2; nil: it does not run
		why     string
	}{
		{"nobody there", right, "", nil, `n2: connection refused; n3: connection refused`},
		{"another cluster", right, "other", right, `n2: is a node of another cluster, not of `},
		{"no such name", with(1, "n2.invalid:7000"), "", nil, `n2: (no such host: n2\.invalid|its name n2\.invalid does not resolve)`},
		{"swapped", swapped, "harness", right, `n3: ` + address(1) + ` is n2 of this cluster`},
		{"its text port", with(1, n2.Text), "harness", right, `n2: does not speak ciderd's protocol \(is that its text port\?\)`},
		{"another list", right, "harness", append(slices.Clone(right), n4), `n2: has another list of nodes: n1, n2, n3, n4`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.second != nil {
				second, _ := runWith(t, c, n2, tc.cluster, tc.second)
				defer stopFirst(t, second)
			}
			first, log := runWith(t, c, n1, "harness", tc.first)
			says(t, n1, log, tc.why)
			stopFirst(t, first)
		})
	}
	for i, n := range []*harness.Node{n1, n2, n3} {
		turned := append(slices.Clone(right[i:]), right[:i]...)
		runWith(t, c, n, "harness", turned)
	}
	for _, n := range []*harness.Node{n1, n2, n3} {
		harness.Eventually(t, n.Name+" serves", func() error { return judgesPasswordsAt(n.Text) })
	}
}

// TestStatusOfPeers: STATUS tells of every other node how it is, and whether reads and writes are taken.
func TestStatusOfPeers(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "status-" + harness.Unique()
	leader := c.Leader()
	two := c.Followers(leader)
	mustDo(t, harness.LoginAs(t, leader, user), "SET k v", "OK")
	conn := harness.LoginAs(t, two[0], user)
	statusHolds(t, conn, "reads yes", "writes yes", "waiting -", `peer `+leader.Name+` leader \d+ ok`, `peer `+two[1].Name+` follower \d+ ok`)
	two[1].Kill()
	statusHolds(t, conn, "reads yes", "writes yes", "waiting -", `peer `+two[1].Name+` - - connection refused`)
	leader.Pause()
	statusHolds(t, conn, "reads yes", "writes no", "waiting no leader; .*"+leader.Name+`: no answer in 0\.5 s.*`,
		`peer `+leader.Name+` - - no answer in 0\.5 s`, `peer `+two[1].Name+` - - connection refused`)
	mustDo(t, conn, "GET k", "v")
	leader.Resume()
	two[1].Start()
	statusHolds(t, conn, "reads yes", "writes yes", "waiting -", `peer `+two[1].Name+` (leader|follower) \d+ ok`)
}

func statusHolds(t *testing.T, conn *harness.Client, lines ...string) {
	t.Helper()
	harness.Eventually(t, "STATUS", func() error {
		status, err := conn.DoLines("STATUS")
		if err != nil {
			return err
		}
		for _, want := range lines {
			if !slices.ContainsFunc(status, regexp.MustCompile("^"+want+"$").MatchString) {
				return fmt.Errorf("no %q in:\n%s", want, strings.Join(status, "\n"))
			}
		}
		return nil
	})
}

// TestHealthWithoutQuorum: with two of three gone the third serves reads, which STATUS and /health/ready say, and takes
// no writes, which STATUS and /health/writable say, with who does not answer and why; its log warns of it.
func TestHealthWithoutQuorum(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	n, user := c.Nodes[0], "quorum-"+harness.Unique()
	conn := harness.LoginAs(t, n, user)
	harness.Eventually(t, "writable", func() error { return healthIs(n, "writable", http.StatusOK) })
	for _, other := range c.Nodes[1:] {
		other.Kill()
	}
	harness.Eventually(t, "not writable", func() error { return healthIs(n, "writable", http.StatusServiceUnavailable) })
	if err := healthIs(n, "ready", http.StatusOK); err != nil {
		t.Error(err)
	}
	harness.Eventually(t, "STATUS says so", func() error {
		lines, err := conn.DoLines("STATUS")
		if err != nil {
			return err
		}
		text := strings.Join(lines, "\n") + "\n"
		for _, want := range []string{"reads yes\n", "writes no\n", "ready true\n", "peer n2 - - ", "peer n3 - - "} {
			if !strings.Contains(text, want) {
				return fmt.Errorf("no %q in %s", want, text)
			}
		}
		return nil
	})
	harness.Eventually(t, "the log warns", func() error { return hasLogged(n, "no leader since 5 s: writes wait; n2: ") })
	c.Nodes[1].Start()
	harness.Eventually(t, "writable again", func() error { return healthIs(n, "writable", http.StatusOK) })
	harness.Eventually(t, "the log says so", func() error { return hasLogged(n, "there is a leader again") })
}

func healthIs(n *harness.Node, check string, code int) error {
	resp, err := http.Get("http://" + n.Admin + "/health/" + check)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != code {
		return fmt.Errorf("%s: /health/%s is %d", n.Name, check, resp.StatusCode)
	}
	return nil
}
