package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

var smallLayout = Layout{Files: 3, Size: recordsAt + 4096}

// world is a journal on a disk in memory, beside a model of it.
type world struct {
	t      *testing.T
	random *rand.Rand
	power  *power
	fs     *memFS
	store  *memStore
	j      *Journal

	was     model
	next    model // what the step that was begun leads to
	covered uint64
	steps   int
	fatal   error
}

// model is a log: entries of consecutive indexes.
type model struct {
	first uint64 // index of logs[0]
	logs  []*raft.Log
	// some says that of the step any number of its first entries may be there.
	some bool
}

func (m *model) last() uint64 {
	if len(m.logs) == 0 {
		return 0
	}
	return m.first + uint64(len(m.logs)) - 1
}

func newWorld(t *testing.T, seed uint64) *world {
	p := &power{}
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), power: p, fs: newMemFS(p),
		store: &memStore{power: p, logs: map[uint64]raft.Log{}},
	}
	w.was.first = 1
	return w
}

// disk is the Disk of a node: a write that finds no space changes nothing, all else ends the process.
func (w *world) disk(_ string, work func() error) error {
	err := work()
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		w.power.mu.Lock()
		w.fatal = err
		w.power.mu.Unlock()
	}
	return err
}

func (w *world) open() error {
	j, err := open(w.fs, w.store, smallLayout, w.covered, w.disk, 500<<w.random.IntN(5))
	if err == nil {
		w.j = j
	}
	return err
}

// entries are the next ones of the log.
func (w *world) entries(n, most int) (logs []*raft.Log) {
	index := w.was.last() + 1
	if len(w.was.logs) == 0 {
		index = max(w.was.first, w.covered+1)
	}
	for i := range uint64(n) {
		l := &raft.Log{Index: index + i, Term: uint64(w.steps/20 + 1), Data: bytes.Repeat([]byte{byte(w.random.Uint32())}, w.random.IntN(most))}
		if w.random.IntN(2) == 0 {
			l.Extensions = []byte{1, 2, 3, byte(index)}
			l.AppendedAt = time.Unix(0, int64(index)+1)
		}
		logs = append(logs, l)
	}
	return logs
}

// step does something, and returns its error.
func (w *world) step() error {
	w.steps++
	w.next = w.was
	switch n := w.random.IntN(20); {
	case n < 12:
		return w.append(1+w.random.IntN(4), 900)
	case n == 12:
		return w.append(1+w.random.IntN(3), 9000) // some do not fit into a file
	case n < 15:
		time.Sleep(moveAfter + retryAfter)
		return nil
	case n == 15 && len(w.was.logs) > 0: // the end
		keep := w.random.IntN(len(w.was.logs))
		return w.delete(w.was.first+uint64(keep), w.was.last())
	case n < 18 && len(w.was.logs) > 0: // the beginning
		return w.delete(w.was.first, w.was.first+uint64(w.random.IntN(len(w.was.logs))))
	case n == 18:
		return w.reopen()
	}
	return nil
}

func (w *world) append(n, most int) error {
	logs := w.entries(n, most)
	w.next = model{first: logs[0].Index, logs: logs, some: true}
	if len(w.was.logs) > 0 {
		w.next = model{first: w.was.first, logs: append(w.was.logs[:len(w.was.logs):len(w.was.logs)], logs...), some: true}
	}
	return w.j.StoreLogs(logs)
}

func (w *world) delete(first, last uint64) error {
	switch {
	case first > w.was.first:
		w.next.logs = w.was.logs[:first-w.was.first]
	case last == w.was.last(): // all of it, as a snapshot has taken its place
		w.covered = last + uint64(w.random.IntN(3))
		w.next = model{first: w.covered + 1}
	default:
		w.covered = max(w.covered, last)
		w.next = model{first: last + 1, logs: w.was.logs[last+1-w.was.first:]}
	}
	return w.j.DeleteRange(first, last)
}

func (w *world) reopen() error {
	err := w.j.Close()
	w.j = nil
	if err != nil {
		return err
	}
	for _, name := range []string{fileName(0), fileName(1), fileName(2)} {
		if len(w.fs.names[name].wrote) > 0 && w.power.off == 0 && w.power.fail == 0 {
			w.t.Errorf("%s is closed and not synced", name)
		}
	}
	return w.open()
}

// read returns what the journal says, and an error if that makes no sense.
func (w *world) read() (m model, err error) {
	first, err1 := w.j.FirstIndex()
	last, err2 := w.j.LastIndex()
	if err := errors.Join(err1, err2); err != nil {
		return m, err
	}
	m.first = first
	for index := first; index > 0 && index <= last; index++ {
		l := &raft.Log{}
		if err := w.j.GetLog(index, l); err != nil {
			return m, fmt.Errorf("entry %d of %d to %d: %w", index, first, last, err)
		}
		m.logs = append(m.logs, l)
	}
	return m, nil
}

func same(a, b *raft.Log) bool {
	return a.Index == b.Index && a.Term == b.Term && a.Type == b.Type && bytes.Equal(a.Data, b.Data) &&
		bytes.Equal(a.Extensions, b.Extensions) && a.AppendedAt.Equal(b.AppendedAt)
}

// is reports whether a log that was read is this one, or of its beginning as much as at least has.
func (m *model) is(read *model, least *model) bool {
	n := len(read.logs)
	if n > len(m.logs) || n < len(m.logs) && (!m.some || n < len(least.logs)) || n > 0 && read.first != m.first {
		return false
	}
	for i, l := range read.logs {
		if !same(l, m.logs[i]) {
			return false
		}
	}
	return true
}

func (m *model) String() string {
	return fmt.Sprintf("%d entries from %d", len(m.logs), m.first)
}

// check compares the journal with the model.
func (w *world) check() {
	w.t.Helper()
	read, err := w.read()
	if err != nil || !w.was.is(&read, &w.was) {
		w.t.Fatalf("after %d steps: %v, want %v; %v", w.steps, &read, &w.was, err)
	}
}

// run does steps until something fails, or there were enough. It reports whether the power went off.
func (w *world) run(steps int) (cut bool) {
	w.t.Helper()
	for range steps {
		if w.j == nil {
			if err := w.open(); errors.Is(err, errCut) {
				return true
			} else if err != nil && !errors.Is(err, syscall.ENOSPC) {
				w.t.Fatalf("opening: %v", err)
			} else if err != nil {
				continue
			}
		}
		err := w.step()
		synctest.Wait()
		w.power.mu.Lock()
		off := w.power.off > 0 && w.power.done >= w.power.off
		fatal := w.fatal
		w.power.mu.Unlock()
		switch {
		case off || errors.Is(err, errCut):
			return true
		case err != nil && !errors.Is(err, syscall.ENOSPC), fatal != nil:
			w.t.Fatalf("step %d: %v, %v", w.steps, err, fatal)
		case err == nil:
			w.was = w.next
			w.was.some = false
		}
		if w.j != nil && (w.steps%7 == 0 || err != nil) {
			w.check()
		}
	}
	return false
}

// recover has the power back, and looks at what is there.
func (w *world) recover() {
	w.t.Helper()
	if w.j != nil {
		_ = w.j.Close() // the process is gone
		w.j = nil
	}
	w.fs.crash(w.random)
	w.power.done, w.power.off, w.power.fail, w.fatal = 0, 0, 0, nil
	if err := w.open(); err != nil {
		w.t.Fatalf("after %d steps the power went off, and then: %v", w.steps, err)
	}
	read, err := w.read()
	if err != nil || !w.was.is(&read, &w.was) && !w.next.is(&read, &w.was) {
		w.t.Fatalf("after %d steps the power went off: %v, want %v or %v; %v", w.steps, &read, &w.was, &w.next, err)
	}
	w.was = read
	if len(read.logs) == 0 {
		w.was.first = w.covered + 1
	}
	w.next = w.was
}

func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func (w *world) end() {
	if w.j != nil {
		if err := w.j.Close(); err != nil && w.power.off == 0 {
			w.t.Error(err)
		}
	}
}

// TestModel: random appends, deletions, pauses and new starts; the log is what a model says.
func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		bubble(t, func(t *testing.T) {
			w := newWorld(t, seed)
			if err := Create(w.fs, smallLayout); err != nil {
				t.Fatal(err)
			}
			w.run(300)
			w.check()
			w.end()
		})
	}
}

// TestPowerCut: the power goes off before, or right after, each operation on disk and database in turn. What was
// reported as stored is there, what was deleted is not, and of the step that was on its way all or nothing, or its
// first entries; and it goes on from there.
func TestPowerCut(t *testing.T) {
	const steps = 60
	for seed := range uint64(2) {
		for off, ended := 1, false; !ended; off++ {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, seed)
				if err := Create(w.fs, smallLayout); err != nil {
					t.Fatal(err)
				}
				w.power.done, w.power.off = 0, off
				if ended = !w.run(steps); !ended {
					w.recover()
					w.power.cutAt(off/3 + 1) // and once more, with little done since
					if w.run(steps) {
						w.recover()
					}
					w.power.cutAt(0)
					w.run(20)
					w.check()
				}
				w.end()
			})
		}
	}
}

// TestNoSpace: each operation in turn finds no space. The step fails or does not, and the log is as if it had not been
// done, or as if it had; also after a crash some steps later.
func TestNoSpace(t *testing.T) {
	const steps = 60
	for seed := range uint64(2) {
		for fail, ended := 1, false; !ended; fail++ {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, seed)
				if err := Create(w.fs, smallLayout); err != nil {
					t.Fatal(err)
				}
				w.power.done, w.power.err, w.power.fail = 0, syscall.ENOSPC, fail
				w.run(steps)
				ended = w.power.count() < fail
				w.power.cutAt(w.power.count() + 1 + w.random.IntN(12))
				if w.run(steps) {
					w.recover()
					w.run(20)
				}
				w.check()
				w.end()
			})
		}
	}
}

// TestCreateCut: wherever the power goes off while a journal is made, it can be made again.
func TestCreateCut(t *testing.T) {
	for off, ended := 1, false; !ended; off++ {
		w := newWorld(t, uint64(off))
		w.power.off = off
		err := Create(w.fs, smallLayout)
		ended = err == nil
		w.power.off = 0
		w.fs.crash(w.random)
		if err := Create(w.fs, smallLayout); err != nil {
			t.Fatalf("cut at %d: %v", off, err)
		}
		if err := w.open(); err != nil {
			t.Fatalf("cut at %d: %v", off, err)
		}
		w.end()
	}
}

// holding makes a small journal that holds several records, the newest ones synced at once, which begin at newest.
func holding(t *testing.T) (w *world, newest int64) {
	w = newWorld(t, 1)
	if err := errors.Join(Create(w.fs, smallLayout), w.open()); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if i == 3 {
			newest = w.j.files[0].end
		}
		if err := w.append(2, 40); err != nil {
			t.Fatal(err)
		}
		w.was = w.next
	}
	return w, newest
}

// TestDamage: each byte of a small journal in turn is another one. It is refused, or nothing is missing but, where the
// newest records are hit, those: nothing tells that they were ever synced.
func TestDamage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, newest := holding(t)
		inode := w.fs.names[fileName(0)]
		clean := bytes.Clone(inode.now)
		end := w.j.files[0].end
		refused := 0
		for at := range int64(len(clean)) {
			if at > 200 && at < recordsAt-200 || at > end+200 && at < int64(len(clean))-200 {
				continue
			}
			inode.now = bytes.Clone(clean)
			inode.now[at] ^= 1 << (at % 8)
			logs, err := Read(w.fs, w.store, smallLayout, 0)
			read := model{first: 1, logs: logs}
			switch {
			case errors.Is(err, ErrDamaged):
				refused++
			case err != nil:
				t.Errorf("byte %d: %v", at, err)
			case w.was.is(&read, &w.was):
			case at < newest || at >= end || len(logs) < 6 || !(&model{first: 1, logs: w.was.logs, some: true}).is(&read, &model{}):
				t.Errorf("byte %d of records from %d, the newest at %d: %v", at, recordsAt, newest, &read)
			}
		}
		if least := headerSize - 8 + int(newest-recordsAt)*9/10; refused < least {
			t.Errorf("%d bytes were refused, want at least %d", refused, least)
		}
		inode.now = clean
		w.end()
	})
}

// TestLeftover: what an append that failed has left behind is no continuation of what is written over it.
func TestLeftover(t *testing.T) {
	w := newWorld(t, 1)
	if err := Create(w.fs, smallLayout); err != nil {
		t.Fatal(err)
	}
	f := &file{layout: smallLayout}
	f.File, _ = w.fs.Open(fileName(0))
	if logs, err := f.read(); err != nil || len(logs) > 0 {
		t.Fatalf("%v, %v", logs, err)
	}
	before := *f
	entry := func(index, term uint64) *raft.Log {
		return &raft.Log{Index: index, Term: term, Data: []byte("0123456789")}
	}
	if _, err := f.append([]*raft.Log{entry(1, 1), entry(2, 1), entry(3, 1)}, nil); err != nil {
		t.Fatal(err)
	}
	f.end, f.prev = before.end, before.prev // it failed
	if _, err := f.append([]*raft.Log{entry(1, 2)}, nil); err != nil {
		t.Fatal(err)
	}
	logs, err := f.read()
	if err != nil || len(logs) != 1 || logs[0].Term != 2 {
		t.Errorf("%d entries, want one; %v", len(logs), err)
	}
}

// TestOverwrite: entries that are stored again take the place of the old ones, also after a crash.
func TestOverwrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		if err := errors.Join(Create(w.fs, smallLayout), w.open(), w.append(4, 40)); err != nil {
			t.Fatal(err)
		}
		again := &raft.Log{Index: 3, Term: 7}
		if err := w.j.StoreLog(again); err != nil {
			t.Fatal(err)
		}
		w.was = w.next
		w.was.logs[2] = again
		w.check()
		w.next = w.was
		w.recover()
		w.end()
	})
}

// TestDeletedEnd: entries of the log's end that were deleted do not come back, and others take their place, also after a
// crash.
func TestDeletedEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		if err := errors.Join(Create(w.fs, smallLayout), w.open(), w.append(4, 40)); err != nil {
			t.Fatal(err)
		}
		w.was = w.next
		if err := w.delete(3, 4); err != nil {
			t.Fatal(err)
		}
		w.was = w.next
		w.steps = 99 // another term
		if err := w.append(1, 40); err != nil {
			t.Fatal(err)
		}
		w.was = w.next
		w.was.some = false
		w.check()
		w.next = w.was
		w.recover()
		w.end()
	})
}

// TestGap: entries that went past the journal are missed if the database has lost them.
func TestGap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		err := errors.Join(Create(w.fs, smallLayout), w.open(), w.append(2, 40))
		w.was = w.next
		large := &raft.Log{Index: 3, Term: 1, Data: make([]byte, smallLayout.Size)}
		err = errors.Join(err, w.j.StoreLog(large), w.j.StoreLog(&raft.Log{Index: 4, Term: 1}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(w.fs, w.store, smallLayout, 0); err != nil {
			t.Error(err)
		}
		for what, kept := range map[string]uint64{"all": 0, "one": 2} {
			lost := &memStore{power: &power{}, logs: map[uint64]raft.Log{}}
			for index := uint64(1); index <= kept; index++ {
				lost.logs[index] = w.store.logs[index]
			}
			if logs, err := Read(w.fs, lost, smallLayout, 0); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s lost: %d entries, %v, want ErrDamaged", what, len(logs), err)
			}
		}
		w.end()
	})
}

// TestLost: a file that is missing, shorter, of another journal or in another one's place is refused, and so is a
// database that has lost what it had reached, unless the journal still has that.
func TestLost(t *testing.T) {
	for what, harm := range map[string]func(w *world){
		"missing":          func(w *world) { delete(w.fs.names, fileName(1)) },
		"shorter":          func(w *world) { i := w.fs.names[fileName(2)]; i.now = i.now[:len(i.now)-1] },
		"in another place": func(w *world) { n := w.fs.names; n[fileName(1)], n[fileName(2)] = n[fileName(2)], n[fileName(1)] },
		"zeros":            func(w *world) { clear(w.fs.names[fileName(0)].now) },
		"the database's newest transaction": func(w *world) {
			last, _ := w.store.LastIndex()
			delete(w.store.logs, last)
		},
		"the database": func(w *world) { w.store.logs = map[uint64]raft.Log{} },
	} {
		bubble(t, func(t *testing.T) {
			w := newWorld(t, 2)
			if err := errors.Join(Create(w.fs, smallLayout), w.open()); err != nil {
				t.Fatal(err)
			}
			for range 12 { // over the end of a file
				if err := w.append(2, 900); err != nil {
					t.Fatal(err)
				}
				w.was = w.next
			}
			if err := w.j.Close(); err != nil {
				t.Fatal(err)
			}
			if err := w.open(); err != nil { // which empties the files, and notes what the database has
				t.Fatal(err)
			}
			w.end()
			harm(w)
			err := w.open()
			if err == nil && what == "the database's newest transaction" { // the journal still has what it was to store
				w.was.some = false
				w.check()
				w.end()
			} else if !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: %v, want ErrDamaged", what, err)
			}
		})
	}
}

// TestStuck: while the database takes nothing, entries are stored until the files are full; then StoreLogs says why
// it cannot go on. Once there is space everything is moved.
func TestStuck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		if err := errors.Join(Create(w.fs, smallLayout), w.open()); err != nil {
			t.Fatal(err)
		}
		full := &fullStore{Store: w.store}
		w.j.store = full
		stored := 0
		var err error
		for ; stored < 100 && err == nil; stored++ {
			if err = w.append(1, 900); err == nil {
				w.was = w.next
			}
		}
		if !errors.Is(err, syscall.ENOSPC) || stored < 8 {
			t.Fatalf("%d entries, and then %v", stored, err)
		}
		w.was.some = false
		w.check()
		full.space.Store(true)
		time.Sleep(10 * retryAfter)
		synctest.Wait()
		if s := w.j.Stats(); s.Entries > 0 {
			t.Errorf("there is space again, and %d entries still wait", s.Entries)
		}
		if err := w.append(3, 900); err != nil {
			t.Error(err)
		}
		w.was = w.next
		w.check()
		w.end()
	})
}

// fullStore is a database on a full disk.
type fullStore struct {
	Store
	space atomic.Bool
}

func (s *fullStore) StoreLogs(logs []*raft.Log) error {
	if s.space.Load() {
		return s.Store.StoreLogs(logs)
	}
	return syscall.ENOSPC
}
