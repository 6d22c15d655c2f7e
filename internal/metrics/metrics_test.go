package metrics

import (
	"io"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ciderd/internal/peerstate"
	"ciderd/internal/report"
	"ciderd/internal/server"
	"ciderd/internal/tally"
)

// scrape returns the lines of one, without comments, and the whole of it.
func scrape(t *testing.T, s Source) (lines []string, all string) {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(s).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d, %v: %s", w.Code, err, body)
	}
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines, string(body)
}

func source(r report.Report) Source {
	return Source{
		Report: func() report.Report { return r }, Ports: []string{server.Text},
		Counts: func(port string) server.Counts {
			took := tally.NewHistogram(tally.Latencies)
			took.Observe(int64(3 * time.Millisecond))
			return server.Counts{Port: port, Connections: 3, Commands: []server.CommandCounts{
				{Name: "get", Command: tally.Command{Done: 5, Failed: 2, Took: took.Read()}},
			}}
		},
		Refused:      func() map[string]uint64 { return map[string]uint64{"max_connections": 4} },
		Certificates: func() map[string]time.Time { return map[string]time.Time{"/etc/a.pem": time.Unix(1900000000, 0)} },
	}
}

// Each number stands under its name, in the unit that this ends in.
func TestNumbers(t *testing.T) {
	var r report.Report
	r.Node, r.Leader, r.Ready, r.Writes, r.Version, r.Started = "n1", "n1", true, true, "0.9.0", 7
	r.Peers = []peerstate.Status{{Name: "n2", Lag: 12}, {Name: "n3", Lag: 9, Reason: "no answer"}}
	r.Log.Eviction.Victims, r.Log.Eviction.Quota = 10, 4
	lines, _ := scrape(t, source(r))
	for _, want := range []string{
		`ciderd_commands_total{command="get",port="text",result="ok"} 5`,
		`ciderd_commands_total{command="get",port="text",result="error"} 2`,
		`ciderd_command_seconds_bucket{command="get",port="text",le="0.002"} 0`,
		`ciderd_command_seconds_bucket{command="get",port="text",le="0.005"} 1`,
		`ciderd_command_seconds_sum{command="get",port="text"} 0.003`,
		`ciderd_connections{port="text"} 3`,
		`ciderd_connections_refused_total{reason="max_connections"} 4`,
		`ciderd_certificate_expiry_timestamp_seconds{file="/etc/a.pem"} 1.9e+09`,
		`ciderd_lag_entries{node="n2"} 12`,
		`ciderd_evicted_total{reason="limit"} 6`, `ciderd_evicted_total{reason="quota"} 4`,
		`ciderd_is_leader 1`, `ciderd_ready 1`, `ciderd_writable 1`, `ciderd_start_time_seconds 7`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("there is no %s", want)
		}
	}
	for _, line := range lines {
		if strings.HasPrefix(line, `ciderd_lag_entries{node="n3"`) {
			t.Errorf("a node that does not answer has %s", line)
		}
	}
	r.Leader = "n2"
	if lines, _ := scrape(t, source(r)); !slices.Contains(lines, "ciderd_is_leader 0") || slices.Contains(lines, `ciderd_lag_entries{node="n2"} 12`) {
		t.Error("a follower says that it leads, or how others lag")
	}
}

// Each family has a comment and a name of the kind that it is; without a cluster, users or commands all are there but those
// about other nodes.
func TestNames(t *testing.T) {
	_, all := scrape(t, source(report.Report{}))
	for _, f := range families {
		if f.name == "ciderd_lag_entries" {
			continue
		}
		if !strings.Contains(all, "# HELP "+f.name+" "+f.help+"\n") {
			t.Errorf("there is no %s", f.name)
		}
		isCounter := strings.Contains(all, "# TYPE "+f.name+" counter\n")
		if isCounter != strings.HasSuffix(f.name, "_total") {
			t.Errorf("%s: counter is %v", f.name, isCounter)
		}
	}
	if !strings.Contains(all, "\ngo_goroutines ") || !strings.Contains(all, "\nprocess_open_fds ") {
		t.Error("Go's own or the process's are missing")
	}
}

// docs/monitoring.md lists exactly these.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, there []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(ciderd_[a-z_]+)(\\{[a-z,]+\\})?` \\|").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1]+m[2])
	}
	for _, f := range families {
		name := f.name
		if len(f.labels) > 0 {
			name += "{" + strings.Join(f.labels, ",") + "}"
		}
		there = append(there, name)
	}
	slices.Sort(documented)
	slices.Sort(there)
	if !slices.Equal(documented, there) {
		t.Errorf("documented:\n%s\nthere:\n%s", strings.Join(documented, "\n"), strings.Join(there, "\n"))
	}
}
