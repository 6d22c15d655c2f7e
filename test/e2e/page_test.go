//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// browsed is the page of a node as a browser has made it after some seconds, and what it complained about.
func browsed(t *testing.T, n *harness.Node) (document, complaints string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--virtual-time-budget=15000", "--dump-dom", "http://"+n.Admin+"/")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, errs.String())
	}
	for line := range strings.Lines(errs.String()) {
		if strings.Contains(line, "CONSOLE") {
			complaints += line
		}
	}
	return string(out), complaints
}

// TestPageInABrowser: a real browser shows a healthy cluster, and one without a quorum, and has nothing to complain about.
func TestPageInABrowser(t *testing.T) {
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip(err) // under CI too: it is large, and not everywhere
	}
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Nodes[0]
	mustDo(t, harness.LoginAs(t, n, "bob-the-user"), "SET the-key the-value", "OK")
	shows := func(words ...string) {
		t.Helper()
		harness.Eventually(t, fmt.Sprintf("the page shows %q", words), func() error {
			document, complaints := browsed(t, n)
			if complaints != "" {
				t.Fatal(complaints)
			}
			for _, word := range []string{"bob-the-user", "the-key", "the-value"} {
				if strings.Contains(document, word) {
					t.Fatalf("the page has %s", word)
				}
			}
			for _, w := range words {
				if !strings.Contains(document, w) {
					return fmt.Errorf("no %q in %.3000s", w, document)
				}
			}
			return nil
		})
	}
	shows(`data-verdict="HEALTHY"`, ">HEALTHY</h1>", `<span class="leader">leader</span>`, "n1 has started, release", `d="M`)
	for _, gone := range c.Followers(n) {
		gone.Kill()
	}
	shows(`data-verdict="NO QUORUM"`, "writes are not taken", "n2 does not answer", "ciderd help recover")
}

// TestHistory: what a node has done lately is served as JSON, with its users by their numbers.
func TestHistory(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Followers(c.Leader())[0]
	user := "busy-" + harness.Unique()
	client := harness.LoginAs(t, n, user)
	harness.Eventually(t, "the history has what was done", func() error {
		for range 20 {
			mustDo(t, client, "SET k v", "OK")
			mustDo(t, client, "GET k", "v")
		}
		resp, err := http.Get("http://" + n.Admin + "/status/history")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var past struct {
			Node    string
			Steps   []struct{ Operations float64 }
			Busiest []struct {
				User, Sessions int
				Reads, Writes  float64
			}
			Events []struct{ Text string }
		}
		if err := json.NewDecoder(resp.Body).Decode(&past); err != nil {
			return err
		}
		if past.Node != n.Name || len(past.Steps) == 0 || past.Steps[len(past.Steps)-1].Operations == 0 || len(past.Events) == 0 {
			return fmt.Errorf("%+v", past)
		}
		if len(past.Busiest) != 1 || past.Busiest[0].Sessions != 1 || past.Busiest[0].Reads == 0 || past.Busiest[0].Writes == 0 {
			return fmt.Errorf("the busiest: %+v", past.Busiest)
		}
		return nil
	})
}
