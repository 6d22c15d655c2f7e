package fsm

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"ciderd/test/norace"
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

// slowReader gives a snapshot in two parts, and looks at the node between them.
type slowReader struct {
	parts [][]byte
	look  func()
}

func (r *slowReader) Read(b []byte) (int, error) {
	if len(r.parts) == 0 {
		return 0, io.EOF
	}
	if len(r.parts) == 1 && r.look != nil {
		r.look()
		r.look = nil
	}
	n := copy(b, r.parts[0])
	if r.parts[0] = r.parts[0][n:]; len(r.parts[0]) == 0 {
		r.parts = r.parts[1:]
	}
	return n, nil
}

func (r *slowReader) Close() error { return nil }

// large is a snapshot that is read in many steps, and a node that is behind it.
func large(t *testing.T) (snapshot []byte, ahead, behind *node) {
	t.Helper()
	ahead, behind = withUser(t), withUser(t)
	behind.do(5, set("old", "old"))
	for i := range 3000 {
		ahead.do(6, set(fmt.Sprint("k", i), rand.Text()+rand.Text()+rand.Text()+strings.Repeat(rand.Text(), 40)))
	}
	return persist(t, ahead.snapshot()), ahead, behind
}

// While nobody is served, the old state is let go of before the new one is there; else it stays to the end.
func TestRestoreMakesWay(t *testing.T) {
	for _, unread := range []bool{true, false} {
		snapshot, ahead, n := large(t)
		n.hooks.MakeWay = func() bool { return unread }
		applied := n.Applied()
		half := len(snapshot) / 2
		looked := false
		r := &slowReader{parts: [][]byte{snapshot[:half], snapshot[half:]}, look: func() {
			looked = true
			if n.emptied != unread || (n.Stats().Users == 0) != unread || n.Applied() != applied {
				t.Errorf("unread %v: emptied %v, %d users, applied %d of %d", unread, n.emptied, n.Stats().Users, n.Applied(), applied)
			}
			if _, err := CopyOf(n.FSM); errors.Is(err, errEmptied) != unread {
				t.Errorf("unread %v: a copy: %v", unread, err)
			}
		}}
		if err := n.Restore(r); err != nil || !looked {
			t.Fatalf("%v, looked: %v", err, looked)
		}
		if n.emptied || n.Stats().Items != 3000 || n.Applied() <= applied {
			t.Errorf("unread %v: at the end emptied %v, %d items", unread, n.emptied, n.Stats().Items)
		}
		n.index, n.sequence = ahead.index, ahead.sequence
		n.do(7, set("k", "v"))
		if n.Stats().Items != 3001 {
			t.Errorf("unread %v: what comes next is not applied", unread)
		}
	}
}

// A snapshot that cannot be restored changes nothing while there is an old state; without one the process has to end.
func TestRestoreThatFails(t *testing.T) {
	norace.Alone(t)
	for _, unread := range []bool{true, false} {
		snapshot, _, n := large(t)
		n.hooks.MakeWay = func() bool { return unread }
		var fatal error
		n.hooks.Fatal = func(err error) { fatal = err }
		want := n.Dump()
		broken := bytes.Clone(snapshot)
		broken[len(broken)-len(broken)/4] ^= 1
		if err := n.Restore(io.NopCloser(bytes.NewReader(broken))); err == nil {
			t.Fatal("a broken snapshot was restored")
		}
		if (fatal != nil) != unread || n.emptied != unread {
			t.Errorf("unread %v: fatal %v, emptied %v", unread, fatal, n.emptied)
		}
		if !unread && n.Dump() != want {
			t.Error("the state has changed")
		}
	}
	// An old one is refused before anything is let go of.
	snapshot, ahead, n := large(t)
	n.restore(snapshot)
	n.index, n.sequence = ahead.index, ahead.sequence
	n.do(9, set("k", "v"))
	n.hooks.MakeWay = func() bool { return true }
	want := n.Dump()
	if err := n.Restore(io.NopCloser(bytes.NewReader(snapshot))); !errors.Is(err, ErrOldSnapshot) || n.Dump() != want || n.emptied {
		t.Errorf("an old snapshot: %v, emptied %v", err, n.emptied)
	}
}
