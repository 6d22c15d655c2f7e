//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

const shippedRules = "../../deploy/prometheus/ciderd-rules.yml"

// hours are how a rule file writes that something has to last, and how much of the past is looked at: for: 5m, [15m],
// offset 3h.
var hours = regexp.MustCompile(`(for: |\[|offset )(\d+)(s|m|h)\b`)

// quicker returns rules in which an hour is a minute. Nothing else in them changes: expressions, thresholds and
// predictions are those that are shipped.
func quicker(rules string) string {
	return hours.ReplaceAllStringFunc(rules, func(text string) string {
		m := hours.FindStringSubmatch(text)
		n, err := strconv.Atoi(m[2])
		if err != nil {
			panic(err) // the expression has digits only
		}
		took := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[m[3]] * time.Duration(n) / 60
		return fmt.Sprintf("%s%dms", m[1], took.Milliseconds())
	})
}

// prometheus scrapes the nodes of a cluster once a second, as the job ciderd, and has the shipped rules, in which an hour
// is a minute.
type prometheus struct {
	t     *testing.T
	url   string
	began time.Time
}

// watchedBy starts Debian's Prometheus for a cluster that runs, and waits until it has seen all nodes.
func watchedBy(t *testing.T, c *harness.Cluster) *prometheus {
	t.Helper()
	rules, err := os.ReadFile(shippedRules)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\nscrape_configs:\n" +
		"  - job_name: ciderd\n    static_configs:\n"
	for _, n := range c.Nodes {
		config += fmt.Sprintf("      - {targets: [%q], labels: {instance: %s}}\n", n.Admin, n.Name)
	}
	for name, text := range map[string]string{"prometheus.yml": config, "rules.yml": quicker(string(rules))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(harness.FreePort(t)))
	log := filepath.Join(dir, "log")
	p, err := harness.StartProcess("prometheus", dir, log, nil, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
		"--web.listen-address="+address, "--log.level=warn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if text, err := os.ReadFile(log); t.Failed() {
			t.Logf("prometheus: %s, %v", text, err)
		}
	})
	w := &prometheus{t: t, url: "http://" + address, began: time.Now()}
	harness.Eventually(t, "prometheus sees all nodes", func() error {
		up, err := w.count("up == 1")
		if err == nil && up != len(c.Nodes) {
			err = fmt.Errorf("%d are up", up)
		}
		return err
	})
	w.began = time.Now()
	return w
}

// needPrometheus skips the test where there is none.
func needPrometheus(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip(err)
	}
}

func (w *prometheus) get(path string, data any) error {
	r, err := http.Get(w.url + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var answer struct {
		Status, Error string
		Data          any
	}
	answer.Data = data
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return nil
}

// count returns how many series a query finds.
func (w *prometheus) count(query string) (int, error) {
	var found struct{ Result []json.RawMessage }
	err := w.get("/api/v1/query?query="+url.QueryEscape(query), &found)
	return len(found.Result), err
}

// alert is one that fires, or that may.
type alert struct {
	Labels map[string]string
	State  string // pending, firing
}

// String is the alert's name and of whom it is.
func (a alert) String() string {
	labels := maps.Clone(a.Labels)
	name := labels["alertname"]
	for _, known := range []string{"alertname", "job", "severity"} {
		delete(labels, known)
	}
	for _, of := range slices.Sorted(maps.Values(labels)) {
		name += " " + of
	}
	return name
}

// firing returns the alerts that fire.
func (w *prometheus) firing() (all []alert, err error) {
	var found struct{ Alerts []alert }
	if err := w.get("/api/v1/alerts", &found); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found.Alerts, func(a alert) bool { return a.State != "firing" }), nil
}

// fires returns whether an alert fires, for the node, file or reason that a label has; "": whatever the labels.
func (w *prometheus) fires(name, of string) error {
	all, err := w.firing()
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Labels["alertname"] == name && (of == "" || slices.Contains(slices.Collect(maps.Values(a.Labels)), of)) {
			return nil
		}
	}
	return fmt.Errorf("what fires: %v", all)
}

// TestQuicker: where an hour is a minute, all else is what is shipped.
func TestQuicker(t *testing.T) {
	text, err := os.ReadFile(shippedRules)
	if err != nil {
		t.Fatal(err)
	}
	shipped, tried := string(text), quicker(string(text))
	without := regexp.MustCompile(`(for: |\[|offset )\d+(s|ms|m|h)\b`)
	if without.ReplaceAllString(shipped, "$1") != without.ReplaceAllString(tried, "$1") {
		t.Errorf("more than durations has changed:\n%s", tried)
	}
	if n := strings.Count(tried, "ms"); n < 20 || hours.MatchString(tried) {
		t.Errorf("%d durations have changed:\n%s", n, tried)
	}
	for was, is := range map[string]string{"for: 30s": "for: 500ms", "[6h]": "[360000ms]", "offset 3h": "offset 180000ms", "for: 1h": "for: 60000ms"} {
		if got := quicker(was); got != is {
			t.Errorf("%s has become %s", was, got)
		}
	}
}
