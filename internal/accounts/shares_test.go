package accounts_test

import (
	"errors"
	"testing"

	"ciderd/internal/accounts"
	"ciderd/internal/fsm"
	"ciderd/internal/pipeline"
)

func TestShares(t *testing.T) {
	const mib = 1 << 20
	w := start(t, accounts.Config{})
	user := w.signUp("alice", "x")
	has := func(quota, reserve int64) {
		t.Helper()
		if u, ok := w.node.FSM().Shares().Of(user.ID); !ok || u.OwnQuota != quota || u.Reserve != reserve {
			t.Errorf("quota %d, reserve %d; want %d, %d", u.OwnQuota, u.Reserve, quota, reserve)
		}
	}
	refused := func(err error, most int64) {
		t.Helper()
		var reserved *accounts.ReservedError
		if !errors.As(err, &reserved) || reserved.Most != most {
			t.Errorf("%v, want at most %d", err, most)
		}
	}
	wantError(t, w.SetQuota("alice", 16*mib), nil)
	has(16*mib, 0)
	refused(w.SetReserve("alice", 15*mib+1), 15*mib)
	wantError(t, w.SetReserve("alice", 15*mib), nil)
	has(16*mib, 15*mib)
	refused(w.SetQuota("alice", 8*mib), 8*mib/16*15)
	wantError(t, w.SetQuota("alice", 0), nil)
	has(0, 15*mib)
	wantError(t, w.SetReserve("alice", 0), nil)
	has(0, 0)

	wantError(t, w.SetQuota("nobody", mib), accounts.ErrGone)
	wantError(t, w.SetReserve("nobody", mib), accounts.ErrGone)
	w.node.SetReads(fsm.OpQuota.Since() - 1)
	wantError(t, w.SetQuota("alice", mib), accounts.ErrUnread)
	wantError(t, w.SetReserve("alice", mib), accounts.ErrUnread)
	w.node.SetReads(fsm.EntryVersion)
	w.node.LeaderReads = fsm.OpQuota.Since() - 1 // this node has not heard of the server that does not
	wantError(t, w.SetQuota("alice", mib), accounts.ErrUnread)
	w.node.LeaderReads = 0
	w.node.Fail(pipeline.ErrTimeout)
	wantError(t, w.SetQuota("alice", mib), pipeline.ErrTimeout)
	w.node.Fail(nil)
	w.node.SetReady(false)
	wantError(t, w.SetQuota("alice", mib), accounts.ErrLoading)
	has(0, 0)
}
