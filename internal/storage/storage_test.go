package storage

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

func mustOpen(t *testing.T, dir string) *Storage {
	t.Helper()
	s, err := Open(dir, hclog.NewNullLogger(), func(err error) { t.Errorf("fatal: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t *testing.T, s *Storage) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// write does what Raft does with its first entry.
func write(t *testing.T, s *Storage, index uint64) {
	t.Helper()
	if err := s.Stable.SetUint64([]byte("CurrentTerm"), 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Logs.StoreLog(&raft.Log{Index: index, Term: 1, Data: []byte("entry")}); err != nil {
		t.Fatal(err)
	}
}

// snapshot writes one and finishes it, or leaves it as a crash would.
func snapshot(t *testing.T, s *Storage, index uint64, finish bool) {
	t.Helper()
	sink, err := s.Snapshots.Create(raft.SnapshotVersionMax, index, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Write([]byte("state")); err != nil {
		t.Fatal(err)
	}
	if !finish {
		return
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
}

func leftovers(t *testing.T, dir string) (tmp int) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "snapshots", "*.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestOpenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "open")
	s := mustOpen(t, dir)
	id := s.ShortID
	if !regexp.MustCompile(`^[0-9a-f]{10}$`).MatchString(id) {
		t.Errorf("short id %q", id)
	}
	for incarnation := uint64(1); ; incarnation++ {
		if s.ShortID != id || s.Incarnation != incarnation || s.Known {
			t.Errorf("start %d: id %s, incarnation %d, known %v; want id %s", incarnation, s.ShortID, s.Incarnation, s.Known, id)
		}
		if incarnation == 4 {
			break
		}
		mustClose(t, s)
		s = mustOpen(t, dir)
	}
	write(t, s, 1)
	mustClose(t, s)
	s = mustOpen(t, dir)
	defer mustClose(t, s)
	var l raft.Log
	if err := s.Logs.GetLog(1, &l); err != nil || string(l.Data) != "entry" || !s.Known || s.ShortID != id {
		t.Errorf("entry %q, error %v, known %v, id %s", l.Data, err, s.Known, s.ShortID)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, error %v: the log has password hashes in it", info.Mode(), err)
	}
}

// The count of starts must not begin anew, or batches of the last process would be taken for ours;
// so it counts starts that came to nothing too.
func TestStateMakesADirectoryKnown(t *testing.T) {
	for name, use := range map[string]func(*Storage){
		"a vote": func(s *Storage) {
			if err := s.Stable.SetUint64([]byte("CurrentTerm"), 7); err != nil {
				t.Fatal(err)
			}
		},
		"an entry": func(s *Storage) { write(t, s, 1) },
		"a snapshot": func(s *Storage) {
			write(t, s, 5)
			snapshot(t, s, 5, true)
			if err := s.Logs.DeleteRange(5, 5); err != nil {
				t.Fatal(err)
			}
		},
	} {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		use(s)
		mustClose(t, s)
		s = mustOpen(t, dir)
		if !s.Known || s.Incarnation != 2 {
			t.Errorf("with %s: known %v, incarnation %d", name, s.Known, s.Incarnation)
		}
		mustClose(t, s)
	}
}

func TestWipedDirectoryIsAnotherServer(t *testing.T) {
	dir := t.TempDir()
	ids := map[string]bool{}
	for range 5 {
		s := mustOpen(t, dir)
		if ids[s.ShortID] || s.Known || s.Incarnation != 1 {
			t.Errorf("id %s of %v, known %v, incarnation %d", s.ShortID, ids, s.Known, s.Incarnation)
		}
		ids[s.ShortID] = true
		write(t, s, 1)
		mustClose(t, s)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A second process is told whose the directory is, and does no harm to the first, whose unfinished
// snapshot looks like a leftover.
func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	first := mustOpen(t, dir)
	defer mustClose(t, first)
	snapshot(t, first, 5, false)
	_, err := open(dir, hclog.NewNullLogger(), 20*time.Millisecond, journalLayout, func(error) {})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "raft.db")+" is in use by another process") {
		t.Errorf("error %v", err)
	}
	if n := leftovers(t, dir); n != 1 {
		t.Errorf("%d of 1 unfinished snapshots left", n)
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	write(t, s, 5)
	snapshot(t, s, 5, true)
	snapshot(t, s, 6, false)
	if n := leftovers(t, dir); n != 1 {
		t.Fatalf("%d leftovers made, want 1", n)
	}
	mustClose(t, s)
	s = mustOpen(t, dir)
	defer mustClose(t, s)
	if n := leftovers(t, dir); n != 0 {
		t.Errorf("%d leftovers", n)
	}
	list, err := s.Snapshots.List()
	if err != nil || len(list) != 1 || list[0].Index != 5 {
		t.Errorf("snapshots %v, error %v: finished ones must stay", list, err)
	}
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, hclog.NewNullLogger(), func(error) {}); err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("of a file: error %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "raft.db"), []byte(strings.Repeat("no database ", 2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, hclog.NewNullLogger(), func(error) {}); !errors.Is(err, ErrDamaged) {
		t.Errorf("of what is no database: error %v", err)
	}
}

// TestOldSnapshotsGo: the two newest stay, and nothing of the others.
func TestOldSnapshotsGo(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	write(t, s, 1)
	for index := uint64(1); index <= 5; index++ {
		snapshot(t, s, index, true)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil || len(entries) != keptSnapshots {
		t.Errorf("%d snapshots: %v", len(entries), err)
	}
	list, err := s.Snapshots.List()
	if err != nil || len(list) != keptSnapshots || list[0].Index != 5 || list[1].Index != 4 {
		t.Errorf("%v %v", list, err)
	}
}
