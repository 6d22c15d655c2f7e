package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"

	"ciderd/test/norace"
)

const smallSnapshot = 5 // the index of small's newest

// small makes a directory whose every byte can be turned over, with something of each kind in it: two
// snapshots, entries (big ones too, so that the log is a tree), a vote.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	for i := uint64(1); i <= 9; i++ {
		write(t, s, i)
	}
	snapshot(t, s, 3, true)
	servers := raft.Configuration{Servers: []raft.Server{{ID: "n1-id", Address: "n1:1"}}}
	_, transport := raft.NewInmemTransport("n1:1")
	sink, err := s.Snapshots.Create(1, smallSnapshot, 1, servers, 1, transport)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sink.Write([]byte("contents"))
	big := &raft.Log{Index: 10, Term: 1, Data: bytes.Repeat([]byte("b"), 5000)}
	err = errors.Join(err, sink.Close(), s.Logs.StoreLog(big), s.Notes().SetRecovered(7), s.Logs.DeleteRange(1, 2),
		s.Stable.SetUint64([]byte(keyVoteTerm), 1), s.Stable.Set([]byte(keyVoteCandidate), []byte("n1-id")))
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(11); i <= 14; i++ {
		write(t, s, i)
	}
	mustClose(t, s)
	return dir
}

// everything is all that a directory says.
func everything(s *Storage) (string, error) {
	first, err1 := s.Logs.FirstIndex()
	first = max(first, smallSnapshot+1) // what is older may be gone at any time
	last, err2 := s.Logs.LastIndex()
	term, err3 := s.Stable.GetUint64([]byte(keyTerm))
	voteTerm, err4 := s.Stable.GetUint64([]byte(keyVoteTerm))
	candidate, err5 := s.Stable.Get([]byte(keyVoteCandidate))
	starts, err6 := s.Stable.GetUint64(keyIncarnation)
	recovered, err7 := s.Notes().Recovered()
	snapshots, err := s.Snapshots.List()
	text := fmt.Sprintf("%s %d, term %d, vote %d %s, recovered %d, log %d-%d:", s.ShortID, starts, term, voteTerm, candidate, recovered, first, last)
	err = errors.Join(err, err1, err2, err3, err4, err5, err6, err7)
	for i := first; i <= last && err == nil; i++ {
		var l raft.Log
		err = s.Logs.GetLog(i, &l)
		text += fmt.Sprintf(" %d %d %v %s", l.Index, l.Term, l.Type, l.Data)
	}
	if err != nil || len(snapshots) != 2 {
		return text, errors.Join(err, fmt.Errorf("%d snapshots", len(snapshots)))
	}
	m, r, err := s.Snapshots.Open(snapshots[0].ID)
	if err != nil {
		return text, err
	}
	defer r.Close()
	contents, err := io.ReadAll(r)
	return text + fmt.Sprintf(" %+v %+v %+v %s", *m, *snapshots[0], *snapshots[1], contents), err
}

// flips turns bits of a directory's files over.
type flips struct {
	t    *testing.T
	dir  string
	want string // everything
}

func newFlips(t *testing.T, dir string) *flips {
	f := &flips{t: t, dir: dir}
	var err error
	if f.want, err = f.read(); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *flips) read() (string, error) {
	s, err := Look(f.dir, quiet())
	if err != nil {
		return "", err
	}
	defer s.Close()
	text := ""
	err = guarded(func() (err error) {
		text, err = everything(s)
		return err
	})
	if err != nil {
		f.t.Errorf("%s was opened, and %v", f.dir, err)
	}
	return text, nil
}

// flip turns a bit over, looks, and turns it back. What was stored, or a refusal: nothing else will do.
func (f *flips) flip(file *os.File, at int64, bit uint) (refused bool) {
	f.t.Helper()
	var b [1]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		f.t.Fatal(err)
	}
	defer file.WriteAt(b[:], at)
	if _, err := file.WriteAt([]byte{b[0] ^ 1<<bit}, at); err != nil {
		f.t.Fatal(err)
	}
	got, err := f.read()
	switch {
	case err != nil && (!errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), f.dir) || !strings.Contains(err.Error(), "what to do:")):
		f.t.Errorf("bit %d of byte %d of %s: %v", bit, at, file.Name(), err)
	case err == nil && got != f.want:
		f.t.Errorf("bit %d of byte %d of %s: there is\n%.300s\nand there was\n%.300s", bit, at, file.Name(), got, f.want)
	}
	return err != nil
}

func openFile(t *testing.T, path string) (f *os.File, size int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, info.Size()
}

// The layout of bbolt's pages, as far as the tests of damage take it.
const (
	metaSize   = 80
	pageHeader = 16
	branchFlag = 1
)

// metaFields are where the fields of a meta page are that mean something.
var metaFields = map[string]int64{
	"number": 0, "flags": 8, "magic": 16, "version": 20, "page size": 24, "its flags": 28, "root": 32,
	"sequence": 40, "free list": 48, "pages": 56, "transaction": 64, "checksum": 72,
}

// TestMetaPages: a bit of a meta page, be it the newer one or the older, is never passed over. bbolt would
// go back by a transaction.
func TestMetaPages(t *testing.T) {
	norace.Alone(t)
	dir := small(t)
	f := newFlips(t, dir)
	file, _ := openFile(t, filepath.Join(dir, logFile))
	for page := range int64(2) {
		for at := range int64(metaSize) {
			for bit := range uint(8) {
				count := at >= 10 && at < pageHeader // a meta page has no elements and no pages behind it
				if where := page*int64(os.Getpagesize()) + at; !f.flip(file, where, bit) && !count {
					t.Errorf("bit %d of byte %d of meta page %d was passed over", bit, at, page)
				}
			}
		}
	}
	whole, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	for page := range int64(2) {
		for name, at := range metaFields { // a start refuses what a look does
			damaged := append([]byte(nil), whole...)
			damaged[page*int64(os.Getpagesize())+at] ^= 1
			work := t.TempDir()
			if err := errors.Join(os.CopyFS(work, os.DirFS(dir)), os.WriteFile(filepath.Join(work, logFile), damaged, 0o600)); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(work, quiet(), func(error) {}); !errors.Is(err, ErrDamaged) {
				t.Errorf("meta page %d, %s: %v", page, name, err)
				mustClose(t, s)
			}
		}
	}
}

// TestLostMeta: a write of a meta page that never reached the disk shows once there was one more.
func TestLostMeta(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	write(t, s, 1)
	path := filepath.Join(dir, logFile)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Logs.StoreLog(&raft.Log{Index: 2, Term: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Logs.StoreLog(&raft.Log{Index: 3, Term: 1}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	number := func(page int) uint64 { return binary.NativeEndian.Uint64(before[page*os.Getpagesize()+64:]) }
	older := 0
	if number(1) < number(0) {
		older = 1
	}
	file, _ := openFile(t, path) // the first of the two went to the older page of before
	at := older * os.Getpagesize()
	if _, err := file.WriteAt(before[at:at+metaSize], int64(at)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, quiet(), func(error) {}); !errors.Is(err, ErrDamaged) {
		t.Errorf("it opens: %v", err)
	}
}

// TestDescriptions: each bit of the newest snapshot's description, and of its sum, and a bit of each byte of
// those of the one before.
func TestDescriptions(t *testing.T) {
	norace.Alone(t)
	dir := small(t)
	f := newFlips(t, dir)
	for _, name := range []string{descriptionFile, sumFile} {
		files, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", name)) // sorted
		if err != nil || len(files) != 2 {
			t.Fatal(files, err)
		}
		for i, path := range files {
			file, size := openFile(t, path)
			refused, all := 0, 0
			for at := range size {
				for bit := uint(0); bit < 8 && (i == 1 || bit < 1); bit++ {
					all++
					if f.flip(file, at, bit) {
						refused++
					}
				}
			}
			// Not so what means the same: the case of a field's name, the name of a field that is zero,
			// the white space at the end.
			if refused < all*3/4 {
				t.Errorf("%s: %d of %d flips were refused", path, refused, all)
			}
			f.without(path)
		}
	}
}

// TestUnknownVersion: a snapshot that Raft's store passes over is not passed over.
func TestUnknownVersion(t *testing.T) {
	dir := small(t)
	all, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", descriptionFile))
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	text, err := os.ReadFile(all[1])
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Replace(text, []byte(`"Version":1`), []byte(`"Version":9`), 1)
	if err := errors.Join(os.WriteFile(all[1], other, 0o600), writeSum(filepath.Dir(all[1]))); err != nil {
		t.Fatal(err)
	}
	if _, err := Look(dir, quiet()); !errors.Is(err, ErrDamaged) {
		t.Errorf("it opens: %v", err)
	}
}

// without wants a directory without a file to be refused.
func (f *flips) without(path string) {
	f.t.Helper()
	if err := os.Rename(path, path+".away"); err != nil {
		f.t.Fatal(err)
	}
	if s, err := Look(f.dir, quiet()); !errors.Is(err, ErrDamaged) {
		f.t.Errorf("without %s: %v", path, err)
		mustClose(f.t, s)
	}
	if err := os.Rename(path+".away", path); err != nil {
		f.t.Fatal(err)
	}
}

// TestPages: one bit of each byte at the beginning of each page of the database, where its header and its
// elements are, and all of the small ones. There are no pages here that were freed: a pointer that has
// become one to such a page leads to what was right once, and nothing tells.
func TestPages(t *testing.T) {
	norace.Alone(t)
	dir := small(t)
	compact(t, filepath.Join(dir, logFile))
	f := newFlips(t, dir)
	file, size := openFile(t, filepath.Join(dir, logFile))
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for page := int64(2 * os.Getpagesize()); page < size; page += int64(os.Getpagesize()) {
		header := make([]byte, pageHeader)
		if _, err := file.ReadAt(header, page); err != nil {
			t.Fatal(err)
		}
		if string(header) == string(make([]byte, pageHeader)) {
			continue // it has never been used
		}
		for at := page; at < page+400; at++ {
			if f.flip(file, at, random.UintN(8)) {
				refused++
			}
		}
	}
	t.Logf("%d refusals", refused)
	if refused < 400 {
		t.Errorf("only %d refusals", refused)
	}
}

// compact copies what a database holds to a new one that takes its place.
func compact(t *testing.T, path string) {
	t.Helper()
	from, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	to, err := bbolt.Open(path+".small", 0o600, &bbolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(bbolt.Compact(to, from, 0), from.Close(), to.Close(), os.Rename(path+".small", path))
	if err != nil {
		t.Fatal(err)
	}
}

// filledLog is a filled directory, its database open for writing, and what is in that.
func filledLog(t *testing.T) (dir string, file *os.File, whole []byte) {
	t.Helper()
	dir = filled(t)
	path := filepath.Join(dir, logFile)
	file, _ = openFile(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return dir, file, whole
}

// TestCounts: a page that has fewer elements than it had is noticed, whatever the number was. The last of
// the log's pages holds its end.
func TestCounts(t *testing.T) {
	dir, file, whole := filledLog(t)
	size, noticed := int64(len(whole)), 0
	for page := int64(2 * os.Getpagesize()); page < size; page += int64(os.Getpagesize()) {
		count := binary.NativeEndian.Uint16(whole[page+10:])
		if count < 2 {
			continue
		}
		if _, err := file.WriteAt(binary.NativeEndian.AppendUint16(nil, count-1), page+10); err != nil {
			t.Fatal(err)
		}
		s, err := Look(dir, quiet())
		if err == nil {
			if last, err := s.Logs.LastIndex(); last != 300 || err != nil {
				t.Errorf("one element less than %d in page %d: the log ends at %d, %v", count, page, last, err)
			}
			mustClose(t, s)
		} else if noticed++; !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
		if _, err := file.WriteAt(whole[page:page+pageHeader], page); err != nil {
			t.Fatal(err)
		}
	}
	if noticed < 10 {
		t.Errorf("%d pages were noticed", noticed)
	}
}

// TestCircle: a page that has become its own child is noticed.
func TestCircle(t *testing.T) {
	dir, file, whole := filledLog(t)
	size, noticed := int64(len(whole)), 0
	for page := int64(2 * os.Getpagesize()); page < size; page += int64(os.Getpagesize()) {
		if binary.NativeEndian.Uint16(whole[page+8:]) != branchFlag {
			continue
		}
		child := page + pageHeader + 8
		if _, err := file.WriteAt(whole[page:page+8], child); err != nil { // its own number
			t.Fatal(err)
		}
		if s, err := Look(dir, quiet()); err == nil {
			mustClose(t, s) // the page was free
		} else if noticed++; !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
		if _, err := file.WriteAt(whole[child:child+8], child); err != nil {
			t.Fatal(err)
		}
	}
	if noticed == 0 {
		t.Error("nothing was noticed")
	}
}
