package fsm

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// A snapshot of what was here before must not come back: it would take back what has been read. One
// that goes exactly as far, or further, is put in place.
func TestRestoreNeverGoesBack(t *testing.T) {
	n := withUser(t)
	n.do(5, set("k", "old"))
	old := persist(t, n.snapshot())
	n.restore(old)
	n.do(6, set("k", "new"))
	want, applied, told := n.Dump(), n.Applied(), len(n.restored)
	if err := n.Restore(io.NopCloser(bytes.NewReader(old))); !errors.Is(err, ErrOldSnapshot) {
		t.Errorf("an old snapshot: %v", err)
	}
	if n.Dump() != want || n.Applied() != applied || len(n.restored) != told {
		t.Error("an old snapshot changed the state")
	}
	n.do(7, set("k", "newer"))
	behind := withUser(t)
	behind.restore(persist(t, n.snapshot()))
	sameDump(t, "a node that was behind", behind.FSM, n.FSM)
}
