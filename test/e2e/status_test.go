//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// overview is what tests look at of `ciderd status -json`, and of /status.
type overview struct {
	Node     string
	Overview struct {
		Verdict  string
		Findings []struct{ Severity, Kind, Node, What, Cure string }
		Nodes    []struct {
			Name   string
			Reason string
			Own    *struct {
				Version string
				Keys    int
			}
		}
	}
}

// kinds is what was found.
func (o *overview) kinds() (all []string) {
	for _, f := range o.Overview.Findings {
		all = append(all, strings.TrimSpace(f.Kind+" "+f.Node))
	}
	return all
}

// statusVerdict waits until a node's status has a verdict, and wants its exit code then.
func statusVerdict(t *testing.T, c *harness.Cluster, n *harness.Node, verdict string, code int) (text said, o overview) {
	t.Helper()
	harness.Eventually(t, "status to say "+verdict, func() error {
		text = command(t, c, n, "", "status")
		if !strings.HasPrefix(text.out, verdict+" ") || text.code != code {
			return fmt.Errorf("%+v", text)
		}
		return nil
	})
	s := command(t, c, n, "", "status", "-json")
	if err := json.Unmarshal([]byte(s.out), &o); err != nil || s.code != code || o.Overview.Verdict != verdict {
		t.Errorf("as JSON: %v, code %d, %s", err, s.code, o.Overview.Verdict)
	}
	for line := range strings.Lines(text.out) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	return text, o
}

// TestStatusVerb: a healthy cluster, one with a silent node, one without a quorum, a stopped node; from any node.
func TestStatusVerb(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	mustDo(t, harness.LoginAs(t, c.Nodes[0], "alice"), "SET k v", "OK")
	for _, n := range c.Nodes {
		harness.Eventually(t, "each node to have applied the write", func() error {
			text, o := statusVerdict(t, c, n, "HEALTHY", 0)
			if len(o.Overview.Nodes) != 3 || o.Node != n.Name {
				return fmt.Errorf("%s tells of %d nodes", o.Node, len(o.Overview.Nodes))
			}
			for _, of := range o.Overview.Nodes {
				if of.Own == nil || of.Own.Version == "" || of.Own.Keys != 1 {
					return fmt.Errorf("%s says of %s: %+v, %s", n.Name, of.Name, of.Own, of.Reason)
				}
			}
			if !strings.Contains(text.out, " · keys 1 · ") || !strings.Contains(text.out, "\n"+c.Leader().Name+" ") {
				return fmt.Errorf("%s", text.out)
			}
			return nil
		})
	}
	last := c.Followers(c.Leader())[0]
	gone := c.Followers(last)
	gone[0].Kill()
	text, o := statusVerdict(t, c, last, "DEGRADED", 1)
	if got := o.kinds(); len(got) == 0 || got[0] != "node-silent "+gone[0].Name {
		t.Errorf("found %q", got)
	}
	if !strings.Contains(text.out, "ciderd member remove "+gone[0].Name) {
		t.Errorf("it does not say what to do: %s", text.out)
	}
	resp, err := http.Get("http://" + last.Admin + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var served overview
	if err := json.NewDecoder(resp.Body).Decode(&served); err != nil || served.Overview.Verdict != "DEGRADED" {
		t.Errorf("/status: %v, %+v", err, served)
	}
	gone[1].Kill()
	statusVerdict(t, c, last, "NO QUORUM", 2)
	last.Stop(harness.StopLimit)
	fails(t, command(t, c, last, "", "status"), 1, "no node is running")
}
