package daemon

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"ciderd/internal/admin/api"
	"ciderd/internal/backup"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
	"ciderd/test/nodetest"
)

func operatedBackupsOf(node *nodetest.Node) operatedBackups {
	return operatedBackups{
		node: node, cluster: "prod", name: "n1", within: patience(func() bool { return true }),
		backup: backup.Config{
			State: node.FSM(), Now: node.Clock().Now, Release: "1.0.0",
			Propose: func(g fsm.Group) func() ([]fsm.Result, error) { return node.Propose(g, time.Second).Wait },
		},
	}
}

// What an operator is told of backups and restores: what was done, or why not.
func TestOperatedBackups(t *testing.T) {
	node := nodetest.New()
	b := operatedBackupsOf(node)
	for _, c := range []fsm.Command{
		{Op: fsm.OpRegister, Name: []byte("alice"), Value: []byte("hash")},
		{Op: fsm.OpStore, User: 1, Key: []byte("k"), Value: []byte("v")},
	} {
		node.Propose(fsm.NewGroup(c), time.Second)
	}
	var file bytes.Buffer
	begun := 0
	if err := b.Save(t.Context(), &file, func() { begun++ }); err != nil || begun != 1 {
		t.Fatal(err, begun)
	}
	restore := func(q api.RestoreRequest) func() (string, error) {
		return func() (string, error) {
			r, err := b.Restore(t.Context(), q, bytes.NewReader(file.Bytes()))
			return r.Cluster, err
		}
	}
	save := func() (string, error) {
		return "", b.Save(t.Context(), io.Discard, func() {})
	}
	note := func() (string, error) { return b.Note(node.Clock().Now()) }
	replace := restore(api.RestoreRequest{Replace: true})
	for i, step := range []operation{
		{nil, note, "the cluster knows of the backup", false},
		{nil, restore(api.RestoreRequest{Check: true}), "would be replaced: alice; nothing was done", true},
		{nil, restore(api.RestoreRequest{Check: true, Replace: true}), "prod", false},
		{nil, replace, "prod", false},
		{nil, restore(api.RestoreRequest{}), "user alice: there are items here, which would be replaced; 0 users are restored, and the others are as they were", false},
		{func() { node.SetReads(fsm.OpRestore.Since() - 1) }, replace, "upgrade all of them first", true},
		{nil, note, "not every node of the cluster knows backups yet", true},
		{func() { node.SetReads(fsm.EntryVersion); node.SetReady(false) }, replace, "this node is catching up", true},
		{nil, save, "this node is catching up", true},
		{func() { node.SetReady(true); node.Fail(cluster.ErrNoLeader) }, replace, "no leader answers; nothing was done", false},
		{nil, note, "no leader; the backup was not noted", true},
		{nil, save, "", false},
		{func() { node.Fail(cluster.ErrTimeout) }, replace, "this node has not caught up", true},
		{func() { node.Fail(nil) }, func() (string, error) {
			node.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpRestore, Name: []byte("bob")}), time.Second)
			return save()
		}, "a user is being restored: bob; a restore that was broken off has to be run again", true},
	} {
		step.check(t, i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	again := operatedBackupsOf(nodetest.New())
	if _, err := again.Restore(ctx, api.RestoreRequest{}, strings.NewReader("no backup")); err == nil {
		t.Error("what is no backup was restored")
	}
}

// Without a leader nobody waits for what only a leader has.
func TestBackupPatience(t *testing.T) {
	node := nodetest.New()
	b, led := operatedBackupsOf(node), true
	b.within = patience(func() bool { return led })
	var left time.Duration
	node.OnSync = func(ctx context.Context) error {
		until, _ := ctx.Deadline()
		left = time.Until(until)
		return cluster.ErrNoLeader
	}
	for _, led = range []bool{true, false} {
		if err := b.Save(t.Context(), io.Discard, func() {}); err != nil {
			t.Fatal(err)
		}
		if long := left > leaderlessFor; long != led {
			t.Errorf("with a leader: %v; it waits %v", led, left)
		}
		if _, err := b.Restore(t.Context(), api.RestoreRequest{}, strings.NewReader("")); err == nil {
			t.Error("without a leader a restore begins")
		}
		if long := left > leaderlessFor; long != led {
			t.Errorf("with a leader: %v; a restore waits %v", led, left)
		}
	}
	if got := b.within(time.Millisecond); got != time.Millisecond {
		t.Errorf("what may take a millisecond may take %v", got)
	}
}
