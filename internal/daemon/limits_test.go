package daemon

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/admin/api"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
	"ciderd/internal/limits"
	"ciderd/test/nodetest"
)

func operated(t *testing.T) (operatedLimits, *nodetest.Node) {
	t.Helper()
	a, node := accountsAs(t, accounts.Config{WriteTimeout: time.Second})
	if err := (operatedUsers{accounts: a}).AddUser(t.Context(), "alice", []byte("x")); err != nil {
		t.Fatal(err)
	}
	nodes := func() []api.NodeLimits {
		return []api.NodeLimits{ofNode("n1", limits.File{MaxMemory: limits.Auto, Reject: true, Quota: 1 << 20}, 1<<30)}
	}
	return operatedLimits{accounts: a, shares: node.FSM().Shares, nodes: nodes}, node
}

// What an operator is told: what was done, or whether anything was and why not.
func TestShares(t *testing.T) {
	const mib = 1 << 20
	l, node := operated(t)
	fsmLimit := func() {
		c := fsm.Command{Op: fsm.OpLimits, N: 32 * mib}
		if r, err := node.Propose(fsm.NewGroup(c), time.Second).Wait(); err != nil || r[0].Kind != fsm.KindOK {
			t.Fatalf("%v, %v", r, err)
		}
	}
	type set func(string, int64) (string, error)
	for _, step := range []struct {
		prepare func()
		set     set
		name    string
		bytes   int64
		said    string // "": it fails
		says    string
		refused bool
	}{
		{nil, l.SetQuota, "alice", 16 * mib, "alice has a quota of 16MiB", "", false},
		{nil, l.SetReserve, "alice", 16 * mib, "", "15/16 of the user's quota, and all together at most 7/16 of the limit: alice can have 15MiB", true},
		{nil, l.SetReserve, "alice", 8 * mib, "alice has a reserve of 8MiB", "", false},
		{nil, l.SetQuota, "alice", mib, "", "the reserve of alice is above 15/16 of that quota; make it 960KiB or less first", true},
		{nil, l.SetQuota, "alice", 64<<10 - 1, "", "a quota is at least 64KiB", true},
		{nil, l.SetQuota, "alice", 0, "alice has no quota of their own any more", "", false},
		{fsmLimit, l.SetReserve, "alice", 15 * mib, "", "alice can have 14MiB", true},
		{nil, l.SetReserve, "alice", 0, "alice has no reserve any more", "", false},
		{nil, l.SetQuota, "bob", mib, "", "there is no user bob", true},
		{func() { node.SetReads(fsm.OpQuota.Since() - 1) }, l.SetReserve, "alice", mib, "", "upgrade all of them first", true},
		{func() { node.SetReady(false) }, l.SetQuota, "alice", mib, "", "this node is catching up", true},
		{func() { node.SetReads(fsm.EntryVersion); node.SetReady(true); node.Fail(cluster.ErrTimeout) }, l.SetQuota, "alice", mib, "", "it is not known whether the quota was set", false},
		{func() { node.Fail(cluster.ErrNoLeader) }, l.SetReserve, "alice", mib, "", "no leader; the reserve was not set", true},
	} {
		if step.prepare != nil {
			step.prepare()
		}
		said, err := step.set(step.name, step.bytes)
		if err == nil && (said != step.said || step.said == "") {
			t.Errorf("said %q, want %q, or a failure with %q", said, step.said, step.says)
		}
		if err != nil && (step.said != "" || errors.Is(err, api.ErrRefused) != step.refused || !strings.Contains(err.Error(), step.says)) {
			t.Errorf("%v; want %q%q, refused: %v", err, step.said, step.says, step.refused)
		}
	}
}

func TestLimits(t *testing.T) {
	l, node := operated(t)
	got := l.Limits()
	if got.Set || got.MaxMemory != 0 || got.Working != 0 || got.WhenFull != "evict" || got.Memory == 0 {
		t.Errorf("before any is set: %+v", got)
	}
	own := got.Nodes[0]
	if own.Name != "n1" || own.MaxMemory != "auto" || own.WhenFull != "reject" || own.Quota != "1MiB" || own.Memory != 1<<30 {
		t.Errorf("%+v", own)
	}
	c := fsm.Command{Op: fsm.OpLimits, N: 32 << 20, Limit: 1 << 20, Flags: fsm.FlagReject}
	if _, err := node.Propose(fsm.NewGroup(c), time.Second).Wait(); err != nil {
		t.Fatal(err)
	}
	if got = l.Limits(); !got.Set || got.MaxMemory != 32<<20 || got.Working != 32<<20 || got.WhenFull != "reject" || got.Quota != 1<<20 {
		t.Errorf("%+v", got)
	}
}
