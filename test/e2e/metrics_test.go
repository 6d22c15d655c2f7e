//go:build e2e

package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// samples is one scrape: the value of each series. Those of a histogram's buckets are left out.
type samples map[string]float64

// scrape reads a node's metrics.
func scrape(n *harness.Node) (samples, error) {
	resp, err := http.Get("http://" + n.Admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: /metrics is %d", n.Name, resp.StatusCode)
	}
	s := samples{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		series, text, ok := cutLast(lines.Text(), " ")
		if !ok || strings.HasPrefix(series, "#") || strings.Contains(series, "_bucket{") {
			continue
		}
		if s[series], err = strconv.ParseFloat(text, 64); err != nil {
			return nil, fmt.Errorf("%s: %w", lines.Text(), err)
		}
	}
	return s, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// sum adds the series of a name, all of them or those with some labels ("port=\"text\"").
func (s samples) sum(name string, labels ...string) (total float64, there bool) {
series:
	for series, value := range s {
		base, rest, _ := strings.Cut(series, "{")
		if base != name {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(rest, label) {
				continue series
			}
		}
		total, there = total+value, true
	}
	return total, there
}

// TestMetrics: each name that monitoring relies on is there from the start, on each node, and moves when what it counts
// happens: under load, at a limit on memory, over a leader's death.
func TestMetrics(t *testing.T) {
	t.Parallel()
	c := harness.New(t, harness.Options{Nodes: 3, Redis: true, Config: "limits {\n max_memory = \"16MiB\"\n max_connections = 40\n }"})
	c.MakeCertificates()
	c.WriteConfig("limits {\n max_memory = \"16MiB\"\n max_connections = 40\n }")
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	before := map[string]samples{}
	for _, n := range c.Nodes {
		s, err := scrape(n)
		if err != nil {
			t.Fatal(err)
		}
		before[n.Name] = s
		for _, name := range metricNames {
			if _, there := s.sum(name); !there {
				t.Errorf("%s has no %s", n.Name, name)
			}
		}
		for _, port := range []string{"text", "text_tls", "redis", "redis_tls"} {
			if v, there := s.sum("ciderd_commands_total", `command="get"`, `port="`+port+`"`, `result="error"`); !there || v != 0 {
				t.Errorf("%s: GETs of port %s that failed: %v, %v", n.Name, port, v, there)
			}
		}
		if v, _ := s.sum("ciderd_certificate_expiry_timestamp_seconds"); v < 1.7e9 {
			t.Errorf("%s: certificates expire at %v", n.Name, v)
		}
	}
	old := c.Leader()
	follower := c.Followers(old)[0]
	loadForMetrics(t, c, follower)
	// The series that only the leader has, while there is one.
	harness.Eventually(t, "the leader tells how far others are", func() error {
		s, err := scrape(old)
		if _, there := s.sum("ciderd_lag_entries"); err == nil && !there {
			err = fmt.Errorf("no ciderd_lag_entries")
		}
		return err
	})
	if s, err := scrape(old); err != nil || s["ciderd_is_leader"] != 1 {
		t.Errorf("the leader: %v, %v", s["ciderd_is_leader"], err)
	}
	moved(t, c.Nodes, before, onTheLeader)
	moved(t, []*harness.Node{follower}, before, onAFollower)
	old.Kill()
	harness.Eventually(t, "another leader", func() error {
		s, err := scrape(follower)
		if err == nil && s["ciderd_leader_changes_total"] <= before[follower.Name]["ciderd_leader_changes_total"] {
			err = fmt.Errorf("%v changes", s["ciderd_leader_changes_total"])
		}
		return err
	})
}

// moved wants each name to have grown on one of the nodes.
func moved(t *testing.T, nodes []*harness.Node, before map[string]samples, names []string) {
	t.Helper()
	for _, name := range names {
		base, label, _ := strings.Cut(name, "{")
		harness.Eventually(t, name+" to move", func() error {
			for _, n := range nodes {
				s, err := scrape(n)
				if err != nil {
					return err
				}
				was, _ := before[n.Name].sum(base, label)
				if is, _ := s.sum(base, label); is > was {
					return nil
				}
			}
			return fmt.Errorf("it did not on any of %d nodes", len(nodes))
		})
	}
}

// loadForMetrics has clients of each port do what is counted, on a follower.
func loadForMetrics(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	client := harness.LoginAs(t, n, "alice")
	value := strings.Repeat("v", 60<<10)
	for i := range 1400 { // five times the limit, and more log than goes without a snapshot
		if _, err := client.Do(fmt.Sprintf("SET k%d %s", i, value)); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"SETEX short 1s v", "GET k1399", "GET none", "SET q v"} {
		if _, err := client.Do(line); err != nil && harness.Code(err) != "" {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if _, err := client.Do("NOTHING"); harness.Code(err) != "UNKNOWN_COMMAND" {
		t.Fatal(err)
	}
	wrong, err := harness.Dial(n.Text)
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	if err := wrong.Login("alice", "wrong"); err == nil {
		t.Fatal("a wrong password opens")
	}
	programs(t, c, n)
	crowd(t, n)
}

// programs does a few commands on the ports for programs, and on the encrypted one for people.
func programs(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	pem, err := os.ReadFile(c.Authority())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: roots, ServerName: n.Name}
	for _, address := range []string{n.Redis, n.RedisTLS, n.TextTLS} {
		conn, err := harness.Connect(address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if address != n.Redis {
			conn = tls.Client(conn, config)
		}
		ask := harness.RESP("PING") + harness.RESP("AUTH", "alice", "x")
		if address == n.TextTLS {
			ask = "PING\nQUIT\n"
		}
		if _, err := fmt.Fprint(conn, ask); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// crowd opens more connections than there may be.
func crowd(t *testing.T, n *harness.Node) {
	t.Helper()
	for range 45 {
		conn, err := harness.Connect(n.Text)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

// metricNames are those of the contract that a node has at any time, as they are scraped.
var metricNames = strings.Fields(`
	ciderd_commands_total ciderd_command_seconds_count ciderd_hits_total ciderd_misses_total ciderd_keys ciderd_users
	ciderd_memory_bytes ciderd_memory_limit_bytes ciderd_evicted_total ciderd_expired_total ciderd_connections
	ciderd_connections_refused_total ciderd_logins_total ciderd_login_wait_seconds_count ciderd_is_leader ciderd_has_leader
	ciderd_leader_changes_total ciderd_applied_index ciderd_commit_seconds_count ciderd_log_sync_seconds_count ciderd_journal_move_seconds_count ciderd_journal_bytes
	ciderd_batch_commands_count ciderd_forwarded_total ciderd_resent_total ciderd_snapshot_seconds_count
	ciderd_snapshot_bytes ciderd_disk_free_bytes ciderd_log_bytes ciderd_certificate_expiry_timestamp_seconds
	ciderd_build_info go_goroutines process_resident_memory_bytes process_open_fds
	raft_fsm_applyBatch_count`)

// onTheLeader moves on one of the nodes, which may be the leader alone; onAFollower on the one with the clients.
var (
	onTheLeader = strings.Fields(`
		ciderd_evicted_total{reason="limit" ciderd_forwarded_total{result="accepted" ciderd_snapshot_seconds_count
		ciderd_snapshot_bytes raft_replication_appendEntries_logs ciderd_log_bytes`)
	onAFollower = strings.Fields(`
		ciderd_commands_total{command="set",port="text",result="ok" ciderd_commands_total{command="unknown",port="text",result="error"
		ciderd_commands_total{command="ping",port="redis",result="error" ciderd_commands_total{command="ping",port="redis_tls",result="error"
		ciderd_commands_total{command="ping",port="text_tls",result="ok" ciderd_commands_total{command="auth",port="redis",result="error"
		ciderd_command_seconds_count{command="set",port="text" ciderd_hits_total ciderd_misses_total ciderd_keys ciderd_users
		ciderd_memory_bytes ciderd_expired_total ciderd_connections{port="text" ciderd_connections_refused_total{reason="max_connections"
		ciderd_logins_total{result="wrong" ciderd_login_wait_seconds_count ciderd_applied_index ciderd_commit_seconds_count
		ciderd_log_sync_seconds_count ciderd_batch_commands_count raft_boltdb_storeLogs_count raft_fsm_applyBatch_count`)
)
