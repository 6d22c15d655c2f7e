//go:build e2e

package e2e

import (
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"ciderd/test/harness"
)

// browser is a real one that shows the page of a node.
type browser struct {
	t       *testing.T
	in      io.Writer
	answers chan string
}

// openBrowser starts it. Without a browser, or without the library that drives it, the test is left out.
func openBrowser(t *testing.T, url string) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("LEFT OUT:", err) // under CI too: it is large, and not everywhere
	}
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("LEFT OUT:", err)
	}
	buildOnce(t, "browser", "npm", "ci", "--no-audit", "--no-fund")
	cmd := exec.Command("node", "drive.mjs", program, url) // not of the test's context, which ends before it has closed the browser
	cmd.Dir, cmd.Stderr = "browser", os.Stderr
	in, answers := startTalking(t, cmd) // at the end of its input it closes the browser
	return &browser{t: t, in: in, answers: answers}
}

// does has the browser do something, and wants all to be well with it.
func (b *browser) does(line string) {
	b.t.Helper()
	if _, err := io.WriteString(b.in, line+"\n"); err != nil {
		b.t.Fatal(err)
	}
	select {
	case answer, runs := <-b.answers:
		if !runs {
			b.t.Fatalf("%s: the browser has ended", line)
		}
		if answer != "ok" {
			b.t.Error(answer)
		}
	case <-time.After(2 * harness.Limit):
		b.t.Fatalf("%s: the browser does not answer", line)
	}
}

// looksWell wants the page to be readable on a small screen and a large one, in light and in dark, and to be used without
// a mouse.
func (b *browser) looksWell() {
	b.t.Helper()
	for _, line := range []string{"width 360", "scheme dark", "scheme light", "keyboard", "width 1600", "scheme dark", "scheme light", "keyboard"} {
		b.does(line)
	}
}

// TestPageIsDriven has a browser show the page while nodes die, and come back. It is loaded once.
func TestPageIsDriven(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Nodes[0]
	mustDo(t, harness.LoginAs(t, n, "bob"), "SET k v", "OK")
	b := openBrowser(t, "http://"+n.Admin+"/")
	b.does("open")
	b.does("verdict HEALTHY")
	b.does("says all 3 nodes serve reads and take writes")
	b.looksWell()

	gone := c.Followers(n)
	gone[0].Kill()
	b.does("verdict DEGRADED")
	b.does("says " + gone[0].Name + " does not answer: connection refused")
	b.looksWell()
	gone[1].Kill()
	b.does("verdict NO QUORUM")
	b.does("says ciderd help recover")
	b.looksWell()
	for _, other := range gone {
		other.Start()
	}
	b.does("verdict HEALTHY")
	b.does("clean")

	n.Kill()
	b.does("verdict NO ANSWER")
	b.does("says what is shown below is old")
	n.Start()
	b.does("verdict HEALTHY")
}
