//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

// An illness is a fault of real nodes that an alert is for.
type illness struct {
	alert string
	fault string // in the words of docs/monitoring.md
	quick bool   // it is tried in make e2e too
	long  bool   // most of the time it waits, so that others can be tried meanwhile

	options harness.Options
	prepare func(t *testing.T, c *harness.Cluster) // before the nodes start
	strike  func(t *testing.T, c *harness.Cluster) blow
}

// A blow is what has been done.
type blow struct {
	of    string // whose the alert is: what one of its labels has
	again func() // goes on with it, until the alert fires
	cure  func() // after it the alert fires no more
	not   string // an alert that must not fire meanwhile
}

// job is the label of what concerns all nodes.
const job = "ciderd"

// patience bounds how long an alert is waited for: the longest takes four minutes.
const patience = 10 * time.Minute

// longAlerts tells whether all of the alerts are asked for: make alerts.
func longAlerts() bool { return os.Getenv("ALERTS") != "" }

// TestAlerts makes each alert fire once, by a real fault, and where there is a cure, end by that.
func TestAlerts(t *testing.T) {
	needPrometheus(t)
	for _, i := range illnesses {
		t.Run(i.alert+"/"+strings.ReplaceAll(i.fault, " ", "-"), func(t *testing.T) {
			if !i.quick && !longAlerts() {
				t.Skip("it takes its time: make alerts")
			}
			if i.long {
				t.Parallel()
			}
			i.try(t)
		})
	}
}

func (i *illness) try(t *testing.T) {
	options := i.options
	options.Nodes = 3
	c := harness.New(t, options)
	if i.prepare != nil {
		i.prepare(t, c)
		c.WriteConfig(options.Config)
	}
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	w := watchedBy(t, c)
	b := i.strike(t, c)
	last := time.Now()
	err := harness.Until(patience, i.alert+" fires", func() error {
		if b.again != nil {
			b.again()
		}
		if b.not != "" && w.fires(b.not, "") == nil {
			t.Fatalf("%s fires", b.not)
		}
		if since := time.Since(last); since > time.Minute {
			t.Logf("%s has not fired yet", i.alert)
			last = time.Now()
		}
		return w.fires(i.alert, b.of)
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.firing()
	t.Logf("%s of %s fires after %v, where an hour is a minute; all that fire: %v, %v", i.alert, b.of, time.Since(w.began).Round(time.Second), all, err)
	if b.cure == nil {
		return
	}
	b.cure()
	cured := time.Now()
	if err := harness.Until(patience, i.alert+" ends", func() error {
		if w.fires(i.alert, b.of) == nil {
			return fmt.Errorf("it fires still")
		}
		_, err := w.firing()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s ends %v after the cure", i.alert, time.Since(cured).Round(time.Second))
}

// TestEveryAlertIsTried: each alert that is shipped has an illness, and a row that tells of it in docs/monitoring.md.
func TestEveryAlertIsTried(t *testing.T) {
	rules, err := os.ReadFile(shippedRules)
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	var shipped []string
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		shipped = append(shipped, m[1])
	}
	if len(shipped) < 20 {
		t.Fatalf("only %d alerts", len(shipped))
	}
	_, table, _ := strings.Cut(string(guide), "| alert | what made it fire | cure |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	told := map[string]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 3 || len(cells[2]) < 10 {
			t.Fatalf("a row of another table: %q", line)
		}
		told[strings.Trim(cells[0], " `")] = cells[1]
	}
	for _, name := range shipped {
		if !slices.ContainsFunc(illnesses, func(i illness) bool { return i.alert == name }) {
			t.Errorf("nothing makes %s fire", name)
		}
	}
	for _, i := range illnesses {
		if !slices.Contains(shipped, i.alert) {
			t.Errorf("%s is not shipped", i.alert)
		}
		if !strings.Contains(told[i.alert], i.fault) {
			t.Errorf("docs/monitoring.md does not tell that %s fires by: %s", i.alert, i.fault)
		}
	}
	if len(told) != len(shipped) {
		t.Errorf("%d rows for %d alerts", len(told), len(shipped))
	}
}

// TestHealthyFiresNothing: three nodes with certificates, a backup and a limit, under light load for two minutes, which are
// two hours for the rules.
func TestHealthyFiresNothing(t *testing.T) {
	if !longAlerts() {
		t.Skip("it takes its time: make alerts")
	}
	needPrometheus(t)
	const settings = "limits { max_memory = \"64MiB\" }\n"
	c := harness.New(t, harness.Options{Nodes: 3, Redis: true})
	c.MakeCertificates()
	c.WriteConfig(settings)
	for _, n := range c.Nodes {
		// A machine whose disk others keep busy has slow syncs indeed: that is no health.
		n.SmallDisk("512m")
		n.Start()
	}
	c.WaitReady()
	user := "healthy-" + harness.Unique()
	harness.MakeUser(t, c.Leader(), user)
	backedUp(t, c)
	w := watchedBy(t, c)
	crew := newCrew(t)
	for _, n := range c.Nodes {
		crew.everySoOften(n, user)
	}
	for time.Since(w.began) < 2*time.Minute {
		all, err := w.firing()
		if err != nil || len(all) > 0 {
			t.Fatalf("after %v of health there fire %v, %v", time.Since(w.began), all, err)
		}
		time.Sleep(time.Second) // health has no end that could be waited for
	}
	crew.home()
	if crew.done.Load() < 1000 {
		t.Errorf("only %d operations were done", crew.done.Load())
	}
	// Silence is worth something only if there are numbers.
	rules, err := os.ReadFile(shippedRules)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\b(ciderd|process)_[a-z_]+`).FindAllString(string(rules), -1) {
		if n, err := w.count(name); n == 0 || err != nil {
			t.Errorf("there is no %s: %v", name, err)
		}
	}
}
