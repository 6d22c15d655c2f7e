//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"ciderd/test/harness"
)

const sentAway = "ERR SHUTTING_DOWN this node is draining; connect to another"

// ready asks a node's health check.
func ready(n *harness.Node) (code int, why string) {
	r, err := http.Get("http://" + n.Admin + "/health/ready")
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return r.StatusCode, strings.TrimSpace(string(text))
}

// TestDrainALeader takes the leader out of traffic, with clients on it, back into it, and out of it until a restart.
func TestDrainALeader(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Redis: true})
	n := c.Leader()
	user := "drained-" + harness.Unique()
	conn := harness.LoginAs(t, n, user)
	mustDo(t, conn, "SET k v", "OK")
	program, err := harness.Connect(n.Redis)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()

	s := command(t, c, n, "", "drain")
	does(t, s, n.Name+" is drained: no client is left; ", " leads\n")
	if strings.Contains(s.out, n.Name+" leads") {
		t.Errorf("it still leads: %s", s.out)
	}
	if line, err := conn.ReadLine(); err != nil || line != sentAway {
		t.Errorf("the session is told %q, %v", line, err)
	}
	if got, err := io.ReadAll(program); err != nil || len(got) > 0 {
		t.Errorf("a client of Redis is told %q, %v", got, err)
	}
	if code, why := ready(n); code != http.StatusServiceUnavailable || why != "draining" {
		t.Errorf("/health/ready: %d, %q", code, why)
	}
	if got := fact(t, command(t, c, n, "", "status", "-json"), "Draining"); got != true {
		t.Errorf("status -json: draining is %v", got)
	}
	fails(t, command(t, c, n, "", "wait", "-ready", "-timeout", "1s"), 1, "draining")
	late, err := harness.DialRaw(n.Text)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := late.ReadLine(); err != nil || line != sentAway {
		t.Errorf("whoever comes is told %q, %v", line, err)
	}
	late.Close()
	other := c.Nodes[0]
	if other == n {
		other = c.Nodes[1]
	}
	fails(t, command(t, c, other, "", "transfer", n.Name), 1, "is draining")
	if s := command(t, c, other, "", "status"); s.code != 1 || !strings.Contains(s.out, n.Name+" is draining") {
		t.Errorf("status on another node: %+v", s)
	}
	mustDo(t, harness.LoginAs(t, other, user), "GET k", "v")

	does(t, command(t, c, n, "", "undrain"), n.Name+" takes clients again")
	does(t, command(t, c, n, "", "wait", "-ready"), n.Name+" is ready")
	mustDo(t, harness.LoginAs(t, n, user), "GET k", "v")
	does(t, command(t, c, n, "", "drain", "-timeout", "1m"), n.Name+" is drained")
	s = command(t, c, n, "", "drain", "-json")
	does(t, s)
	if fact(t, s, "Node") != n.Name || fact(t, s, "Draining") != true || fact(t, s, "Left") != 0.0 || fact(t, s, "Leads") != false {
		t.Errorf("drain -json: %s", s.out)
	}
	s = command(t, c, n, "", "undrain", "-json")
	does(t, s)
	if fact(t, s, "Node") != n.Name || fact(t, s, "Draining") != false {
		t.Errorf("undrain -json: %s", s.out)
	}
	for _, flag := range []string{"ready", "leader", "caught-up"} {
		s = command(t, c, n, "", "wait", "-"+flag, "-json")
		does(t, s)
		if said, _ := fact(t, s, "Said").(string); fact(t, s, "For") != flag || said == "" {
			t.Errorf("wait -%s -json: %s", flag, s.out)
		}
	}
	does(t, command(t, c, n, "", "drain"), n.Name+" is drained")
	n.Stop(harness.StopLimit)
	fails(t, command(t, c, n, "", "drain"), 1, "no node is running")
	n.Start()
	n.WaitServing()
	if code, why := ready(n); code != http.StatusOK {
		t.Errorf("after a restart: %d, %q", code, why)
	}
	for _, verb := range []string{"drain", "undrain"} {
		logHolds(t, n, fmt.Sprintf(`"outcome":"done","uid":"%d","verb":%q`, os.Getuid(), verb))
	}
}

// TestDrainWithoutAQuorum: nobody can lead, and the clients go all the same, but for one that waits for a write.
func TestDrainWithoutAQuorum(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: `timeouts { write = "10m" }`})
	last := c.Nodes[0]
	user := "alone-" + harness.Unique()
	conn := harness.LoginAs(t, last, user)
	for _, n := range c.Followers(last) {
		n.Kill()
	}
	harness.Eventually(t, "it knows no leader", func() error {
		if s := command(t, c, last, "", "leader"); s.code != 2 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if err := conn.Send([]byte("SET k v\n")); err != nil {
		t.Fatal(err)
	}
	stuck := command(t, c, last, "", "drain", "-timeout", "2s")
	fails(t, stuck, 1, last.Name+" is not drained after 2s: 1 connection is left; it goes on draining")
	stuck = command(t, c, last, "", "drain", "-timeout", "1s", "-json")
	fails(t, stuck, 1, "1 connection is left")
	if fact(t, stuck, "Left") != 1.0 {
		t.Errorf("drain -json: %s", stuck.out)
	}
	if s := command(t, c, last, "", "transfer"); s.code != 2 {
		t.Errorf("transfer: %+v", s)
	}
}

// TestDrainOne drains a node that is alone: there is nobody to lead in its place.
func TestDrainOne(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	does(t, command(t, c, c.Nodes[0], "", "drain"), "n1 is drained: no client is left; it leads on, as there is no other voter")
	does(t, command(t, c, c.Nodes[0], "", "undrain"), "n1 takes clients again")
	c.Nodes[0].WaitServing()
}
