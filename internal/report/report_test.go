package report

import (
	"fmt"
	"strings"
	"testing"

	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
	"ciderd/internal/peerstate"
)

// The facts are a contract: their names, order and form. New ones are added.
func TestFacts(t *testing.T) {
	r := Report{
		Status: cluster.Status{
			Cluster: "test", Node: "n1", Role: "leader", Leader: "n1", Term: 3, Commit: 8, Applied: 7, Ready: true, Voter: true, Reads: true, Writes: true,
			Peers: []peerstate.Status{{Name: "n2", Role: "follower", Lag: 7}, {Name: "n3", Reason: "connection refused"}},
		},
		Version: "1.2.3", Uptime: 60, Users: 2, Sessions: 4, PeerTLS: "require",
		State: fsm.Stats{Memory: 500, MemoryLimit: 1000, Evicted: 3},
	}
	const want = `node n1
cluster test
role leader
leader n1
ready true
reads yes
writes yes
waiting -
voter true
disk ok
term 3
commit 8
applied 7
version 1.2.3
memory 500
memory_limit 1000
evicted 3
uptime 60
users 2
sessions 4
peer_tls require
peer n2 follower 7 ok
peer n3 - - connection refused
`
	if got := text(&r); got != want {
		t.Errorf("it says\n%swant\n%s", got, want)
	}
	for _, line := range []string{"node -", "role -", "leader -", "ready false", "reads no", "waiting starting", "voter false", "disk full"} {
		if got := text(&Report{Status: cluster.Status{Waiting: "starting", NoSpace: true}}); !strings.Contains(got, "\n"+line+"\n") && !strings.HasPrefix(got, line+"\n") {
			t.Errorf("no line %q in\n%s", line, got)
		}
	}
}

// Whoever is out of traffic is not ready, for whatever looks.
func TestDraining(t *testing.T) {
	r := Report{Status: cluster.Status{Ready: true, Leader: "n1", Writes: true}, Draining: true}
	if r.NotReady() != "draining" || r.NotWritable() != "draining" {
		t.Errorf("not ready: %q, not writable: %q", r.NotReady(), r.NotWritable())
	}
	if got := text(&r); !strings.Contains(got, "\nready false\n") || !strings.Contains(got, "\nwaiting draining\n") {
		t.Error(got)
	}
}

func text(r *Report) string {
	var b strings.Builder
	for name, value := range r.Facts() {
		fmt.Fprintln(&b, name, value)
	}
	return b.String()
}
