package storage

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Look changes nothing: a second one, and the next Open, see what was there.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	if _, err := Look(dir, hclog.NewNullLogger()); err == nil || !strings.Contains(err.Error(), "no node's data") {
		t.Fatalf("an empty directory: %v", err)
	}
	s, err := Open(dir, hclog.NewNullLogger(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Look(dir, hclog.NewNullLogger()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("beside an open one: %v", err)
	}
	if err := errors.Join(s.Stable.SetUint64([]byte("CurrentTerm"), 3),
		s.Logs.StoreLog(&raft.Log{Index: 1, Term: 3, Data: []byte("x")}), s.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		l, err := Look(dir, hclog.NewNullLogger())
		if err != nil {
			t.Fatal(err)
		}
		var entry raft.Log
		if err := l.Logs.GetLog(1, &entry); err != nil || string(entry.Data) != "x" || l.ShortID != s.ShortID || !l.Known {
			t.Errorf("it sees %+v, %v, id %q, known %v", entry, err, l.ShortID, l.Known)
		}
		if ms, err := l.Notes().Recovered(); ms != 0 || err != nil {
			t.Errorf("recovered at %d, %v", ms, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	again, err := Open(dir, hclog.NewNullLogger(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	if again.Incarnation != 2 {
		t.Errorf("incarnation %d", again.Incarnation)
	}
	before, errBefore := again.Notes().Joined()
	err = again.Notes().SetJoined()
	if joined, errAfter := again.Notes().Joined(); before || !joined || errors.Join(err, errBefore, errAfter) != nil {
		t.Errorf("joined %v, then %v: %v", before, joined, errors.Join(err, errBefore, errAfter))
	}
	if err := errors.Join(again.NewShortID(), again.Notes().SetRecovered(42)); err != nil || again.ShortID == s.ShortID {
		t.Errorf("id %s, was %s, %v", again.ShortID, s.ShortID, err)
	}
	if ms, err := again.Notes().Recovered(); ms != 42 || err != nil {
		t.Errorf("recovered at %d, %v", ms, err)
	}
	if joined, err := again.Notes().Joined(); joined || err != nil {
		t.Errorf("under another id: joined %v, %v", joined, err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestCopyAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "snapshots", "1"), 0o755),
		os.WriteFile(filepath.Join(dir, "raft.db"), []byte("log"), 0o644),
		os.WriteFile(filepath.Join(dir, "snapshots", "1", "state.bin"), []byte("state"), 0o600)); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	copied, err := CopyAside(dir+"/", "kept")
	if err != nil || copied != dir+".kept" {
		t.Fatalf("%q, %v", copied, err)
	}
	var all []string
	err = filepath.WalkDir(copied, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, _ := e.Info(); info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if !e.IsDir() {
			text, err := os.ReadFile(path)
			all = append(all, path[len(copied):]+" "+string(text))
			return err
		}
		return nil
	})
	if got := strings.Join(all, ", "); err != nil || got != "/raft.db log, /snapshots/1/state.bin state" {
		t.Errorf("the copy has %s, %v", got, err)
	}
	if _, err := CopyAside(dir, "kept"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a copy: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(copied, "raft.db")); string(text) != "log" {
		t.Errorf("the first copy is gone: %v", err)
	}
}
