package fsm

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"ciderd/internal/cache"
)

// A snapshot is a head (magic, format version, the release that wrote it, CRC32C of these; the same in all future
// formats, so that any release can say what to install) and a body of chunks. In the body each record follows its
// tag: the state's own figures, the origins, then for each user the account, its ids of ONCE and its items, and
// finally the counts.
const (
	snapshotMagic = "CIDERSNP"
	maxRelease    = 100 // bytes of Release that are written at most

	tagState     = 'S' // index, time, last user id, whether it is closed
	tagEntries   = 'V' // the highest version of entries that the log has held; from format 2 on
	tagOrigin    = 'O' // server id, incarnation, sequence
	tagUser      = 'U' // id, name, hash, epoch, version counter of the keyspace
	tagLimits    = 'L' // limits, see frozenLimits.write; from format 3 on
	tagShare     = 'Q' // of the preceding user: quota, reserve, evicted; from format 3 on
	tagSeed      = 'K' // the seed of SCAN's order; from format 4 on
	tagLock      = 'B' // the preceding user is locked; from format 5 on
	tagRestoring = 'P' // the preceding user is being restored; from format 5 on
	tagBackup    = 'C' // the last backup: node, time; from format 5 on
	tagOnce      = 'R' // of the preceding user: id, time, kind, number
	tagItem      = 'I' // of the preceding user: key, value, version, deadline
	tagEnd       = 'E' // users, items, hash of the state
)

// The formats. A state is written in the oldest format that can hold it, so that the previous release can read it
// until something is used that it does not know.
const (
	snapshotFirst    = 1
	snapshotEntries  = 2 // format 1, and tagEntries
	snapshotLimits   = 3 // format 2, and tagLimits and tagShare
	snapshotSeed     = 4 // format 3, and tagSeed
	snapshotOperated = 5 // format 4, and tagLock, tagRestoring and tagBackup
	snapshotNewest   = snapshotOperated
)

// Release is the version of ciderd that snapshots are marked with, so that an older release that reads a newer
// format can say what to install.
var Release = "dev"

// snapshot is the state as it was at one index, while the state itself keeps changing.
type snapshot struct {
	index, time uint64
	last        uint64
	closed      bool
	entries     byte
	origins     map[string]origin
	users       []frozenUser
	store       *cache.StoreView
	hash        uint64
	limits      frozenLimits
	seed        *Seed   // nil: there is none
	backup      *Backup // nil: there was none
	marked      bool    // somebody is locked, or being restored
}

type frozenUser struct {
	*User
	once  []remembered
	share frozenShare
}

type frozenShare struct {
	quota, reserve int64
	evicted        uint64
}

// frozenLimits is what of the ledger does not follow from the users.
type frozenLimits struct {
	Limits
	set     bool
	working int64
	evicted uint64
}

// Snapshot freezes the state. No entry is applied while it runs, so it copies only a few words for each user and
// origin, and no item.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	if f.halted != nil {
		return nil, fmt.Errorf("no snapshot after %w", f.halted)
	}
	f.applying.Lock()
	defer f.applying.Unlock()
	return f.freeze(), nil
}

func (f *FSM) freeze() *snapshot {
	s := f.state.Load()
	snap := &snapshot{
		index: s.index, time: uint64(s.time), last: s.users.last, closed: s.closed, entries: s.entries,
		origins: make(map[string]origin, len(s.origins)),
		users:   make([]frozenUser, 0, len(s.users.byID)),
		store:   s.store.Freeze(), hash: s.hash(), limits: s.ledger.freeze(), seed: s.seed.Load(), backup: s.backup.Load(),
	}
	for id, row := range s.origins {
		snap.origins[id] = row
	}
	for _, a := range s.users.byID {
		snap.marked = snap.marked || a.user.Locked || a.user.Restoring
		snap.users = append(snap.users, frozenUser{a.user, a.once.order, a.share.freeze()})
	}
	return snap
}

// Persist streams the snapshot while entries continue to be applied. What has been written is let go of at once: until
// then it keeps in memory all that was replaced since, and Raft holds on to the snapshot until it has also shortened its
// log.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	err := s.write(sink)
	*s = snapshot{}
	if err != nil {
		_ = sink.Cancel() // the error that made us cancel is the one to return
		return err
	}
	return sink.Close()
}

// Release does nothing: the garbage collector frees what was frozen with the snapshot.
func (s *snapshot) Release() {}

func (s *snapshot) write(w io.Writer) error {
	if _, err := w.Write(snapshotHead(s.format())); err != nil {
		return err
	}
	c := &chunkWriter{w: w}
	c.buf = append(c.buf, tagState)
	c.buf = binary.AppendUvarint(c.buf, s.index)
	c.buf = binary.AppendUvarint(c.buf, s.time)
	c.buf = binary.AppendUvarint(c.buf, s.last)
	c.buf = binary.AppendUvarint(c.buf, flag(s.closed))
	if s.entries != 0 {
		c.buf = binary.AppendUvarint(append(c.buf, tagEntries), uint64(s.entries))
	}
	s.limits.write(c)
	if s.seed != nil {
		c.buf = append(append(c.buf, tagSeed), s.seed[:]...)
	}
	if s.backup != nil {
		c.buf = appendBytes(append(c.buf, tagBackup), []byte(s.backup.Node))
		c.buf = binary.AppendVarint(c.buf, s.backup.At)
	}
	s.writeOrigins(c)
	items := s.writeUsers(c)
	c.buf = append(c.buf, tagEnd)
	c.buf = binary.AppendUvarint(c.buf, uint64(len(s.users)))
	c.buf = binary.AppendUvarint(c.buf, items)
	c.buf = binary.LittleEndian.AppendUint64(c.buf, s.hash)
	return c.finish()
}

func (s *snapshot) format() byte {
	if s.marked || s.backup != nil {
		return snapshotOperated
	}
	if s.seed != nil {
		return snapshotSeed
	}
	if s.entries >= version4 {
		return snapshotLimits
	}
	if s.entries != 0 {
		return snapshotEntries
	}
	return snapshotFirst
}

func snapshotHead(format byte) []byte {
	return sealHead(format, Release[:min(len(Release), maxRelease)])
}

func sealHead(version byte, release string) []byte {
	head := appendBytes(append([]byte(snapshotMagic), version), []byte(release))
	return binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
}

func (l *ledger) freeze() frozenLimits {
	return frozenLimits{Limits: l.current(), set: l.limits.Load() != nil, working: l.working.Load(), evicted: l.evicted.Load()}
}

func (s *share) freeze() frozenShare {
	return frozenShare{quota: s.quota.Load(), reserve: s.reserve.Load(), evicted: s.evicted.Load()}
}

func (l frozenLimits) write(c *chunkWriter) {
	if l == (frozenLimits{}) {
		return
	}
	c.buf = binary.AppendUvarint(append(c.buf, tagLimits), flag(l.set))
	c.buf = binary.AppendVarint(c.buf, l.MaxMemory)
	c.buf = binary.AppendVarint(c.buf, l.Quota)
	c.buf = binary.AppendUvarint(c.buf, flag(l.Reject))
	c.buf = binary.AppendVarint(c.buf, l.working)
	c.buf = binary.AppendUvarint(c.buf, l.evicted)
}

func (s *snapshot) writeOrigins(c *chunkWriter) {
	ids := make([]string, 0, len(s.origins))
	for id := range s.origins {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		c.buf = appendBytes(append(c.buf, tagOrigin), []byte(id))
		c.buf = binary.AppendUvarint(c.buf, s.origins[id].incarnation)
		c.buf = binary.AppendUvarint(c.buf, s.origins[id].sequence)
		c.flushFull()
	}
}

// writeUsers returns how many items it wrote.
func (s *snapshot) writeUsers(c *chunkWriter) (items uint64) {
	s.eachUser(func(u frozenUser, version uint64, view *cache.View) bool {
		c.user(u, version)
		view.Drain(func(key, value []byte, version uint64, deadline int64) bool {
			items++
			c.item(key, value, version, deadline)
			return c.err == nil
		})
		return c.err == nil
	})
	return items
}

// eachUser calls fn with every user in the order of their ids until it returns false, and lets go of each before that.
func (s *snapshot) eachUser(fn func(u frozenUser, version uint64, view *cache.View) bool) {
	slices.SortFunc(s.users, func(a, b frozenUser) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	next := 0
	s.store.Drain(func(id, version uint64, view *cache.View) bool {
		// Users and keyspaces are created and dropped together, so the two lists run in step.
		user := s.users[next]
		s.users[next] = frozenUser{}
		next++
		return fn(user, version, view)
	})
}

func (c *chunkWriter) user(u frozenUser, version uint64) {
	c.buf = binary.AppendUvarint(append(c.buf, tagUser), u.ID)
	c.buf = appendBytes(appendBytes(c.buf, []byte(u.Name)), u.Hash)
	c.buf = binary.AppendUvarint(c.buf, u.Epoch)
	c.buf = binary.AppendUvarint(c.buf, version)
	if u.Locked {
		c.buf = append(c.buf, tagLock)
	}
	if u.Restoring {
		c.buf = append(c.buf, tagRestoring)
	}
	c.flushFull()
	if u.share != (frozenShare{}) {
		c.buf = binary.AppendVarint(append(c.buf, tagShare), u.share.quota)
		c.buf = binary.AppendVarint(c.buf, u.share.reserve)
		c.buf = binary.AppendUvarint(c.buf, u.share.evicted)
		c.flushFull()
	}
	for _, r := range u.once {
		c.buf = appendBytes(append(c.buf, tagOnce), []byte(r.id))
		c.buf = binary.AppendVarint(c.buf, r.at)
		c.buf = append(c.buf, byte(r.result.Kind))
		c.buf = binary.AppendVarint(c.buf, r.result.N)
		c.flushFull()
	}
}

func (c *chunkWriter) item(key, value []byte, version uint64, deadline int64) {
	c.buf = appendBytes(appendBytes(append(c.buf, tagItem), key), value)
	c.buf = binary.AppendUvarint(c.buf, version)
	c.buf = binary.AppendVarint(c.buf, deadline)
	c.flushFull()
}

// Dump writes the whole state as text in one canonical order, for tests that compare nodes. It must not run
// concurrently with Apply.
func (f *FSM) Dump() string {
	var b strings.Builder
	dumpState(&b, f.state.Load(), f.freeze())
	return b.String()
}
