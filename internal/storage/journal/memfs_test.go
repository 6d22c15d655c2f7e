package journal

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

var errCut = errors.New("the power is off")

// power counts the operations on disk and database, and goes off at one of them.
type power struct {
	mu   sync.Mutex // all below, and what the operations change
	done int
	off  int // at which operation it goes off; 0: never
	fail int // which operation fails with err; 0: none
	err  error
}

// cutAt has the power go off at an operation; 0: never.
func (p *power) cutAt(off int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = off
}

// count returns how many operations were done.
func (p *power) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// use is one more operation. before: the power goes off before it, or it fails; after: it is done, and then the power
// goes off, so that nobody hears of it.
func (p *power) use(do func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off > 0 && p.done >= p.off {
		return errCut
	}
	p.done++
	switch {
	case p.done == p.off && p.off%2 == 0:
		return errCut
	case p.done == p.fail:
		return p.err
	}
	do()
	if p.done == p.off {
		return errCut
	}
	return nil
}

// memFS is a directory in memory that forgets what was not synced.
type memFS struct {
	power  *power
	names  map[string]*memInode // now
	synced map[string]*memInode // on the disk
}

type memInode struct {
	now    []byte
	synced []byte
	wrote  []span // since it was synced
}

type span struct {
	at int64
	b  []byte
}

func newMemFS(p *power) *memFS {
	return &memFS{power: p, names: map[string]*memInode{}, synced: map[string]*memInode{}}
}

const sector = 512

// crash is a power cut: of what was not synced some sectors are written, and some names.
func (m *memFS) crash(r *rand.Rand) {
	for name, inode := range m.names {
		if m.synced[name] != inode && r.IntN(2) == 0 {
			m.synced[name] = inode
		}
	}
	m.names = map[string]*memInode{}
	for name, inode := range m.synced {
		m.names[name] = inode
		inode.lose(r)
	}
}

func (i *memInode) lose(r *rand.Rand) {
	all := r.IntN(4) // 0: nothing was written, 1: everything
	for _, s := range i.wrote {
		for from := int64(0); from < int64(len(s.b)); {
			to := min(from+sector-(s.at+from)%sector, int64(len(s.b)))
			if all == 1 || all > 1 && r.IntN(2) == 0 {
				i.synced = put(i.synced, s.at+from, s.b[from:to])
			}
			from = to
		}
	}
	i.wrote = nil
	i.now = slices.Clone(i.synced)
}

func put(b []byte, at int64, what []byte) []byte {
	if need := at + int64(len(what)); need > int64(len(b)) {
		b = append(b, make([]byte, need-int64(len(b)))...)
	}
	copy(b[at:], what)
	return b
}

func (m *memFS) Open(name string) (File, error) {
	inode := m.names[name]
	if inode == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memFile{m, inode}, nil
}

func (m *memFS) Create(name string) (f File, err error) {
	err = m.power.use(func() {
		m.names[name] = &memInode{}
		f = &memFile{m, m.names[name]}
	})
	return f, err
}

func (m *memFS) Rename(from, to string) error {
	return m.power.use(func() {
		m.names[to] = m.names[from]
		delete(m.names, from)
	})
}

func (m *memFS) Sync() error {
	return m.sync(func() {
		m.synced = map[string]*memInode{}
		for name, inode := range m.names {
			m.synced[name] = inode
		}
	})
}

type memFile struct {
	fs *memFS
	*memInode
}

func (f *memFile) ReadAt(b []byte, at int64) (int, error) {
	if at >= int64(len(f.now)) {
		return 0, io.EOF
	}
	n := copy(b, f.now[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, at int64) (int, error) {
	write := func(b []byte) func() {
		return func() {
			f.now = put(f.now, at, b)
			f.wrote = append(f.wrote, span{at, slices.Clone(b)})
		}
	}
	err := f.fs.power.use(write(b))
	if err != nil && !errors.Is(err, errCut) { // it has written some of the sectors
		f.fs.power.mu.Lock()
		write(b[:len(b)*3/4/sector*sector])()
		f.fs.power.mu.Unlock()
	}
	return len(b), err
}

func (f *memFile) Sync() error {
	return f.fs.sync(func() { f.synced, f.wrote = slices.Clone(f.now), nil })
}

// sync is an operation that needs no space.
func (m *memFS) sync(do func()) error {
	err := m.power.use(do)
	if err != nil && !errors.Is(err, errCut) {
		m.power.mu.Lock()
		defer m.power.mu.Unlock()
		do()
		return nil
	}
	return err
}

func (f *memFile) Size() (int64, error) { return int64(len(f.now)), nil }
func (f *memFile) Close() error         { return nil }

// memStore is a database in memory whose transactions are all or nothing.
type memStore struct {
	power *power
	logs  map[uint64]raft.Log
}

func (s *memStore) ends() (first, last uint64) {
	s.power.mu.Lock()
	defer s.power.mu.Unlock()
	for index := range s.logs {
		if first == 0 || index < first {
			first = index
		}
		last = max(last, index)
	}
	return first, last
}

func (s *memStore) FirstIndex() (uint64, error) {
	first, _ := s.ends()
	return first, nil
}

func (s *memStore) LastIndex() (uint64, error) {
	_, last := s.ends()
	return last, nil
}

func (s *memStore) GetLog(index uint64, l *raft.Log) error {
	s.power.mu.Lock()
	stored, ok := s.logs[index]
	s.power.mu.Unlock()
	if !ok {
		return raft.ErrLogNotFound
	}
	*l = stored
	return nil
}

func (s *memStore) StoreLogs(logs []*raft.Log) error {
	return s.power.use(func() {
		for _, l := range logs {
			s.logs[l.Index] = *l
		}
	})
}

func (s *memStore) DeleteRange(first, last uint64) error {
	return s.power.use(func() {
		for index := range s.logs {
			if index >= first && index <= last {
				delete(s.logs, index)
			}
		}
	})
}
