package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// smallDisk is a file system of its own, of 64 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system that can be filled")
	}
	dir := t.TempDir()
	if err := syscall.Mount("ciderd-test", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillUp leaves not a byte.
func fillUp(t *testing.T, dir string) (filler string) {
	t.Helper()
	filler = filepath.Join(dir, "filler")
	f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for piece := make([]byte, 1<<20); len(piece) > 0; {
		if _, err := f.Write(piece); errors.Is(err, syscall.ENOSPC) {
			piece = piece[:len(piece)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if free, err := FreeSpace(dir); err != nil || free != 0 {
		t.Fatalf("free: %d, %v", free, err)
	}
	return filler
}

// On a disk without a free byte, taken at once, terms and votes are still stored, the log gets what
// the reserve has, and everything is there when there is room again, after a restart too.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t)
	dir := filepath.Join(disk, "data")
	open := func() *Storage {
		s, err := Open(dir, quiet(), func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	var told atomic.Int64
	s.Serve(Hooks{
		HangLimit: func() time.Duration { return hangLimit },
		Leads:     func() bool { return true }, NoSpace: func() { told.Add(1) },
	})
	next := uint64(1)
	store := func(size int) error {
		l := &raft.Log{Index: next, Term: 1, Data: bytes.Repeat([]byte{byte(next)}, size)}
		err := s.Logs.StoreLog(l)
		if err == nil {
			next++
		}
		return err
	}
	vote := func(term uint64) error {
		return errors.Join(
			s.Stable.SetUint64([]byte("CurrentTerm"), term), s.Stable.SetUint64([]byte(keyVoteTerm), term),
			s.Stable.Set([]byte(keyVoteCandidate), fmt.Append(nil, "n", term)))
	}
	for range 20 {
		if err := store(100 << 10); err != nil {
			t.Fatal(err)
		}
	}
	filler := fillUp(t, disk)
	if err := store(1 << 20); err != nil {
		t.Fatalf("an entry in the reserve's place: %v", err)
	}
	for told.Load() == 0 { // once it is moved from the journal
		time.Sleep(time.Millisecond)
	}
	fillUp(t, disk)
	var err error
	before := next
	for err == nil {
		err = store(100 << 10)
	}
	if got := int(next-before) * (100 << 10); got < reserveSize/2 {
		t.Errorf("whoever fills the disk took what the reserve had given: %d bytes were left", got)
	}
	if !strings.Contains(err.Error(), "no space left") { // the cache over it does not wrap
		t.Fatalf("an entry without room: %v", err)
	}
	sink, err := s.Snapshots.Create(1, 5, 1, raft.Configuration{}, 1, nil)
	if err == nil {
		_, err = sink.Write(make([]byte, 1<<20))
		err = errors.Join(err, sink.Cancel())
	}
	if !errors.Is(err, syscall.ENOSPC) || leftovers(t, dir) != 0 {
		t.Errorf("a snapshot without room: %v, %d left", err, leftovers(t, dir))
	}
	for term := uint64(2); term < 200; term++ {
		if err := vote(term); err != nil {
			t.Fatalf("term %d: %v", term, err)
		}
	}
	s.Close()
	s = open() // which counts the start
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.KeepReserve(), store(1<<20)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, reserveFile)); err != nil || info.Size() != reserveSize {
		t.Errorf("the reserve: %v", err)
	}
	s.Close()
	s = open()
	defer s.Close()
	for i := uint64(1); i < next; i++ {
		var l raft.Log
		if err := s.Logs.GetLog(i, &l); err != nil || l.Data[0] != byte(i) {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
	term, err1 := s.Stable.GetUint64([]byte(keyVoteTerm))
	candidate, err2 := s.Stable.Get([]byte(keyVoteCandidate))
	if err := errors.Join(err1, err2); err != nil || term != 199 || string(candidate) != "n199" {
		t.Errorf("the vote of term %d is for %q, %v", term, candidate, err)
	}
}
