package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/test/norace"
)

func quiet() hclog.Logger { return hclog.NewNullLogger() }

// filled makes a directory with a log of 300 entries behind a snapshot.
func filled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, quiet(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(1); i <= 300; i++ {
		l := &raft.Log{Index: i, Term: 1, Type: raft.LogCommand, Data: bytes.Repeat(fmt.Append(nil, i), 100)}
		if err := s.Logs.StoreLog(l); err != nil {
			t.Fatal(err)
		}
	}
	sink, err := s.Snapshots.Create(1, 50, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Write(bytes.Repeat([]byte("snapshot"), 1000)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sink.Close(), s.Logs.DeleteRange(1, 40), s.Stable.SetUint64([]byte("CurrentTerm"), 1), s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// opens tells how a directory opens: with everything that was stored, or with an error that names
// the file and what to do. Anything else is a failure.
func opens(t *testing.T, dir, what string) (right bool) {
	t.Helper()
	s, err := Open(dir, quiet(), func(err error) { t.Errorf("%s: fatal: %v", what, err) })
	if err != nil {
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "what to do:") {
			t.Errorf("%s: %v", what, err)
		}
		return false
	}
	defer s.Close()
	var l raft.Log
	for i := uint64(41); i <= 300; i++ {
		if err := s.Logs.GetLog(i, &l); err != nil || !bytes.Equal(l.Data, bytes.Repeat(fmt.Append(nil, i), 100)) {
			t.Fatalf("%s: entry %d reads as %.20q, %v", what, i, l.Data, err)
		}
	}
	_, r, err := s.Snapshots.Open(newest(t, s))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, bytes.Repeat([]byte("snapshot"), 1000)) {
		t.Fatalf("%s: the snapshot reads as %.20q, %v", what, b, err)
	}
	return true
}

func newest(t *testing.T, s *Storage) string {
	list, err := s.Snapshots.List()
	if err != nil || len(list) == 0 {
		t.Fatalf("no snapshot: %v", err)
	}
	return list[0].ID
}

// Bits that flip in used pages and files that are cut are noticed at the start: a node serves what
// was stored, or nothing.
func TestDamageIsRefused(t *testing.T) {
	norace.Alone(t)
	dir := filled(t)
	if !opens(t, dir, "untouched") {
		t.Fatal("an untouched directory is refused")
	}
	files := []string{logFile}
	snapshots, _ := filepath.Glob(filepath.Join(dir, "snapshots", "*", "*"))
	for _, f := range snapshots {
		rel, _ := filepath.Rel(dir, f)
		files = append(files, rel)
	}
	if len(files) != 4 {
		t.Fatalf("files: %v", files)
	}
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for _, name := range files {
		path := filepath.Join(dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			at, bit := random.IntN(len(whole)), byte(1)<<random.IntN(8)
			damaged := bytes.Clone(whole)
			damaged[at] ^= bit
			refused += try(t, dir, path, damaged, fmt.Sprintf("bit %d of byte %d of %s", bit, at, name))
		}
		for i := range 10 {
			n := random.IntN(len(whole)) * min(i, 1) // the first cuts all
			refused += try(t, dir, path, whole[:n], fmt.Sprintf("%s cut to %d bytes", name, n))
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if refused < 30 {
		t.Errorf("only %d of 150 damages were noticed", refused)
	}
	if !opens(t, dir, "put back") {
		t.Error("the directory was changed by what refused it")
	}
}

func try(t *testing.T, dir, path string, content []byte, what string) (refused int) {
	t.Helper()
	work := t.TempDir()
	if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	rel, _ := filepath.Rel(dir, path)
	if err := os.WriteFile(filepath.Join(work, rel), content, 0o600); err != nil {
		t.Fatal(err)
	}
	// An emptied raft.db beside a snapshot is a hole, too; without one it would be a new server.
	if !opens(t, work, what) {
		return 1
	}
	return 0
}

// Raft leaves a gap when a snapshot is installed over a shorter log: no damage.
func TestGapBehindASnapshot(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, quiet(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	store := func(i uint64) error { return s.Logs.StoreLog(&raft.Log{Index: i, Term: 1}) }
	sink, err := s.Snapshots.Create(1, 10, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(store(1), store(2), sink.Close(), store(11), store(12), s.Stable.SetUint64([]byte("CurrentTerm"), 1), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, quiet(), func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Logs.DeleteRange(11, 11), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(dir, quiet(), func(error) {}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a hole behind the snapshot: %v", err)
	}
}

// TestHalfMade: what a first start that was cut short left of its database does not matter.
func TestHalfMade(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, logFile+freshSuffix), bytes.Repeat([]byte("torn"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, dir))
	if _, err := os.Stat(filepath.Join(dir, logFile+freshSuffix)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	mustClose(t, mustOpen(t, dir))
}
