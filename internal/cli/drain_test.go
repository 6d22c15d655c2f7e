package cli

import (
	"strings"
	"testing"
	"time"

	"ciderd/internal/admin/api"
)

// A node is drained once no client is left and another one leads, as far as there is one.
func TestIsDrained(t *testing.T) {
	for name, c := range map[string]struct {
		state  api.Draining
		passed time.Duration
		done   bool
		leads  string
	}{
		"another leads":       {api.Draining{Leader: "n2"}, 0, true, "n2 leads"},
		"a client is left":    {api.Draining{Leader: "n2", Left: 1}, time.Hour, false, "n2 leads"},
		"it leads":            {api.Draining{Leader: "n1", Leads: true}, time.Hour, false, "it still leads"},
		"it is alone":         {api.Draining{Leader: "n1", Leads: true, Alone: true}, 0, true, "it leads on, as there is no other voter"},
		"an election":         {api.Draining{}, 0, false, "no leader is known"},
		"there is no quorum":  {api.Draining{}, drainLeader + 1, true, "no leader is known"},
		"a client, no leader": {api.Draining{Left: 3}, time.Hour, false, "no leader is known"},
	} {
		if done, leads := isDrained(&c.state, c.passed), whoLeads(&c.state); done != c.done || leads != c.leads {
			t.Errorf("%s: drained %v, %q", name, done, leads)
		}
	}
	err := notDrained(&api.Draining{Node: "n1", Left: 2, Leads: true}, 30*time.Second)
	if want := "n1 is not drained after 30s: 2 connections are left, and it still leads; it goes on draining"; err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestWriteReloaded(t *testing.T) {
	for want, a := range map[string]api.Reloaded{
		"no setting differs from what the node does already\n": {},
		"changed: auth.signup: closed, was open\nneeds a restart: cluster.node.n2\nneeds a restart: listen.text: -, was :8080\nwarning: two nodes\n": {
			Changed:      []api.Setting{{Key: "auth.signup", Old: "open", New: "closed"}},
			NeedsRestart: []api.Setting{{Key: "cluster.node.n2"}, {Key: "listen.text", Old: ":8080"}}, Warnings: []string{"two nodes"},
		},
	} {
		var b strings.Builder
		if err := writeReloaded(&b, &a); err != nil || b.String() != want {
			t.Errorf("%q, want %q, %v", b.String(), want, err)
		}
	}
}
