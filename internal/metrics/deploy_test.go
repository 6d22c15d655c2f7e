package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ciderd/internal/report"
)

const (
	deployedRules     = "../../deploy/prometheus/ciderd-rules.yml"
	deployedRuleTests = "../../deploy/prometheus/ciderd-rules_test.yml"
	deployedDashboard = "../../deploy/grafana/ciderd.json"
)

// What deploy/ ships asks for these metrics only, and a dashboard is JSON with something on it.
func TestDeployedNames(t *testing.T) {
	scraped, _ := scrape(t, source(report.Report{}))
	for _, file := range []string{deployedRules, deployedRuleTests, deployedDashboard} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\b(ciderd|process|go|raft)_[a-z_]+`).FindAllString(string(text), -1)
		if len(names) < 20 {
			t.Errorf("%s: only %d names", file, len(names))
		}
		for _, name := range names {
			if !isThere(name, scraped) {
				t.Errorf("%s asks for %s, which there is not", file, name)
			}
		}
	}
}

// isThere reports whether a name is scraped: as a family of ours with what histograms add to it, or as another's series.
func isThere(name string, scraped []string) bool {
	for _, f := range families {
		if f.name == name && !strings.HasSuffix(name, "_seconds") || f.name == name && isGauge(name) {
			return true
		}
		base, isPart := strings.CutSuffix(name, "_bucket")
		for _, suffix := range []string{"_sum", "_count"} {
			if !isPart {
				base, isPart = strings.CutSuffix(name, suffix)
			}
		}
		if isPart && f.name == base {
			return true
		}
	}
	return !strings.HasPrefix(name, "ciderd_") && slices.ContainsFunc(scraped, func(line string) bool {
		return strings.HasPrefix(line, name+" ") || strings.HasPrefix(line, name+"{")
	})
}

// isGauge reports whether a name that ends in seconds is a moment and no histogram.
func isGauge(name string) bool {
	return strings.HasSuffix(name, "_timestamp_seconds") || strings.HasSuffix(name, "_time_seconds")
}

// A label that is asked for is one of the metric's.
func TestDeployedLabels(t *testing.T) {
	for _, file := range []string{deployedRules, deployedDashboard} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.ReplaceAll(string(text), `\"`, `"`)
		for _, m := range regexp.MustCompile(`(ciderd_[a-z_]+)\{([^}]*)\}`).FindAllStringSubmatch(plain, -1) {
			for _, label := range regexp.MustCompile(`([a-z]+)(=|!)`).FindAllStringSubmatch(m[2], -1) {
				if !hasLabel(m[1], label[1]) {
					t.Errorf("%s: %s has no label %s", file, m[1], label[1])
				}
			}
		}
	}
}

func hasLabel(name, label string) bool {
	if label == "job" || label == "instance" { // Prometheus' own
		return true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		name = strings.TrimSuffix(name, suffix)
	}
	i := slices.IndexFunc(families, func(f family) bool { return f.name == name })
	return i >= 0 && slices.Contains(families[i].labels, label)
}

func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(deployedDashboard)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil || len(board.Panels) < 20 {
		t.Fatalf("%d panels, %v", len(board.Panels), err)
	}
	for i, p := range board.Panels {
		if p.ID != i+1 || p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d: %+v", i, p)
		}
		for _, q := range board.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies over %s", p.Title, q.Title)
			}
		}
	}
}

// Every rule fires on its illness, and none on a healthy cluster.
func TestRules(t *testing.T) {
	rules, err := os.ReadFile(deployedRules)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(deployedRuleTests)
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(string(guide), "`"+m[1]+"`") {
			t.Errorf("docs/monitoring.md does not tell of %s", m[1])
		}
		fires := regexp.MustCompile(`alertname: ` + m[1] + "\n" + `\s+eval_time: \w+\n\s+exp_alerts:\n\s+- `)
		silent := regexp.MustCompile(`alertname: ` + m[1] + "\n" + `\s+eval_time: \w+\n\s+(- alertname|- name)`)
		if !fires.Match(tests) || !silent.Match(append(tests, "  - name"...)) {
			t.Errorf("%s: there is no test that it fires, or none that it does not", m[1])
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip(err)
	}
	for _, args := range [][]string{{"check", "rules", filepath.Base(deployedRules)}, {"test", "rules", filepath.Base(deployedRuleTests)}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = filepath.Dir(deployedRules)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
