package fsm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hashicorp/raft"

	"ciderd/internal/cache"
)

// ErrOldSnapshot: a snapshot that ends before the last entry applied here.
var ErrOldSnapshot = errors.New("the snapshot is older than the state that is here")

// Restore builds the state of a snapshot separately and swaps it in. On an error the old state stays. It never goes
// back: Raft installs any snapshot of the current term, and one that was delayed, or that a third party replays,
// would undo what has been read here.
func (f *FSM) Restore(r io.ReadCloser) error {
	defer r.Close()
	s, err := readSnapshot(r, func(index uint64) error { return makeWay(f, index) })
	if err != nil {
		if f.emptied && f.hooks.Fatal != nil { // the old state is gone
			f.hooks.Fatal(fmt.Errorf("a snapshot cannot be restored: %w", err))
		}
		return err
	}
	f.applying.Lock()
	defer f.applying.Unlock()
	if f.hooks.Stamp != nil {
		f.hooks.Stamp(s.time)
	}
	f.state.Store(s)
	f.applied.Store(s.index)
	f.closed.Store(s.closed)
	f.inUse.Store(uint32(s.entries))
	f.emptied = false
	f.pending.wake(f.Applied())
	f.applier.changed = append(f.applier.changed[:0], 0)
	f.tellChanged()
	if f.hooks.Restored != nil {
		row := s.origins[f.self]
		f.hooks.Restored(row.incarnation, row.sequence)
	}
	return nil
}

// makeWay is called with the index of a snapshot that is to be restored, before its users come.
func makeWay(f *FSM, index uint64) error {
	if applied := f.applied.Load(); index < applied {
		return fmt.Errorf("%w: it goes up to entry %d, and %d has been applied", ErrOldSnapshot, index, applied)
	}
	if f.emptied || f.hooks.MakeWay == nil || !f.hooks.MakeWay() {
		return nil
	}
	f.applying.Lock() // nobody copies what is empty
	defer f.applying.Unlock()
	f.emptied = true
	f.state.Store(newState())
	f.applier.state, f.applier.account = nil, nil
	return nil
}

var _ raft.BatchingFSM = (*FSM)(nil)

// CheckSnapshot reads a snapshot to its end and returns the index that it goes up to, or why it could not be
// restored.
func CheckSnapshot(r io.Reader) (index uint64, err error) {
	s, err := readSnapshot(r, func(uint64) error { return nil })
	if err != nil {
		return 0, err
	}
	return s.index, nil
}

// readSnapshot builds the state of a snapshot, separate from the current one. It calls begin with the index first.
func readSnapshot(r io.Reader, begin func(index uint64) error) (*state, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	if err := readHead(br); err != nil {
		return nil, err
	}
	b := &builder{state: newState(), begin: begin}
	chunks := &chunkReader{r: br}
	for {
		records, err := chunks.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for d := (decoder{rest: records}); len(d.rest) > 0; {
			if err := b.record(&d); err != nil {
				return nil, err
			}
		}
	}
	if !b.ended {
		return nil, fmt.Errorf("%w: no end", ErrBadSnapshot)
	}
	return b.state, nil
}

func readHead(r *bufio.Reader) error {
	var magic [len(snapshotMagic) + 1]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return fmt.Errorf("%w: cut short: %w", ErrBadSnapshot, noEOF(err))
	}
	if string(magic[:len(snapshotMagic)]) != snapshotMagic {
		return fmt.Errorf("%w: this is no snapshot of ciderd", ErrBadSnapshot)
	}
	n, err := binary.ReadUvarint(r)
	if err != nil || n > maxRelease {
		return fmt.Errorf("%w: release", ErrBadSnapshot)
	}
	rest := make([]byte, n+4) // and the checksum
	if _, err := io.ReadFull(r, rest); err != nil {
		return fmt.Errorf("%w: cut short: %w", ErrBadSnapshot, noEOF(err))
	}
	release, v := string(rest[:n]), magic[len(snapshotMagic)]
	if !bytes.HasSuffix(sealHead(v, release), rest) || v == 0 {
		return fmt.Errorf("%w: checksum of the head", ErrBadSnapshot)
	}
	if v > snapshotNewest {
		return fmt.Errorf("snapshot of format %d, which this release (%s, format %d) cannot read: install ciderd %s or later",
			v, Release, snapshotNewest, release)
	}
	return nil
}

// builder makes a state from the records of a snapshot.
type builder struct {
	*state
	account *account // the user that items and ids belong to
	items   uint64
	begin   func(index uint64) error
	ended   bool
}

func (b *builder) record(d *decoder) error {
	tag := d.rest[0]
	d.rest = d.rest[1:]
	if b.ended {
		return fmt.Errorf("%w: records behind the end", ErrBadSnapshot)
	}
	ok := true
	switch tag {
	case tagState:
		b.index, b.time, b.users.last = d.uvarint(), int64(d.uvarint()), d.uvarint()
		b.closed = d.uvarint() != 0
		if !d.bad {
			if err := b.begin(b.index); err != nil {
				return err
			}
		}
	case tagEntries:
		ok = b.entriesUsed(d)
	case tagOrigin:
		id := d.bytes()
		b.setOrigin(id, origin{d.uvarint(), d.uvarint()})
	case tagLimits:
		ok = b.limits(d)
	case tagSeed:
		ok = b.readSeed(d)
	case tagBackup:
		ok = b.backedUp(d)
	case tagUser:
		ok = b.user(d)
	case tagLock:
		ok = b.mark(func(u *User) *bool { return &u.Locked })
	case tagRestoring:
		ok = b.mark(func(u *User) *bool { return &u.Restoring })
	case tagShare:
		ok = b.share(d)
	case tagOnce:
		ok = b.once(d)
	case tagItem:
		ok = b.item(d)
	case tagEnd:
		ok = b.end(d)
	default:
		ok = false
	}
	if d.bad || !ok {
		return fmt.Errorf("%w: record %q", ErrBadSnapshot, tag)
	}
	return nil
}

// entriesUsed refuses a state with entries of a version that this release does not know.
func (b *builder) entriesUsed(d *decoder) bool {
	v := d.uvarint()
	if v < version3 || v > EntryVersion {
		return false
	}
	b.entries = byte(v)
	return true
}

func (b *builder) user(d *decoder) bool {
	user := &User{ID: d.uvarint(), Name: string(d.bytes()), Hash: slices.Clone(d.bytes()), Epoch: d.uvarint()}
	version := d.uvarint()
	if d.bad || user.ID == 0 || b.users.byID[user.ID] != nil || b.users.byName[user.Name] != nil {
		return false
	}
	b.account = &account{user: user, keyspace: b.store.Create(user.ID)}
	b.account.keyspace.SetVersion(version)
	b.users.add(b.account)
	b.addFixed(b.account, user.memory())
	return true
}

// mark notes something of the preceding user that is not so yet. The epoch has counted it.
func (b *builder) mark(of func(u *User) *bool) bool {
	if b.account == nil || *of(b.account.user) {
		return false
	}
	marked := *b.account.user
	*of(&marked) = true
	b.users.replace(b.account, marked)
	return true
}

func (b *builder) backedUp(d *decoder) bool {
	last := Backup{Node: string(d.name()), At: d.varint()}
	if d.bad || b.backup.Load() != nil || last.At <= 0 {
		return false
	}
	b.backup.Store(&last)
	return true
}

func (b *builder) limits(d *decoder) bool {
	set := d.uvarint() != 0
	l := Limits{MaxMemory: d.varint(), Quota: d.varint(), Reject: d.uvarint() != 0}
	if set {
		b.ledger.limits.Store(&l)
	}
	b.ledger.working.Store(d.varint())
	b.ledger.evicted.Store(d.uvarint())
	return true
}

func (b *builder) readSeed(d *decoder) bool {
	bytes := d.exactly(seedSize)
	if d.bad || b.seed.Load() != nil {
		return false
	}
	s := Seed(bytes)
	b.seed.Store(&s)
	return true
}

func (b *builder) share(d *decoder) bool {
	quota, reserve, evicted := d.varint(), d.varint(), d.uvarint()
	if d.bad || b.account == nil {
		return false
	}
	b.ledger.reserves.Add(reserve)
	b.ledger.owners.Add(int64(flag(quota > 0)))
	b.users.setShare(b.account, func(s *share) {
		s.quota.Store(quota)
		s.reserve.Store(reserve)
		s.evicted.Store(evicted)
	})
	return true
}

func (b *builder) once(d *decoder) bool {
	r := remembered{id: string(d.bytes()), at: d.varint()}
	if len(d.rest) == 0 || b.account == nil {
		return false
	}
	r.result.Kind, d.rest = Kind(d.rest[0]), d.rest[1:]
	r.result.N = d.varint()
	b.recall(b.account, r)
	return true
}

func (b *builder) item(d *decoder) bool {
	key, value := d.bytes(), d.bytes()
	version, deadline := d.uvarint(), d.varint()
	if d.bad || b.account == nil || len(key) == 0 || len(key) > cache.MaxKeySize {
		return false
	}
	b.account.keyspace.Load(key, value, version, deadline)
	b.items++
	return true
}

func (b *builder) end(d *decoder) bool {
	users, items := d.uvarint(), d.uvarint()
	if len(d.rest) < 8 {
		return false
	}
	hash := binary.LittleEndian.Uint64(d.rest)
	d.rest = d.rest[8:]
	b.ended = true
	return users == uint64(len(b.users.byID)) && items == b.items && hash == b.state.hash()
}
