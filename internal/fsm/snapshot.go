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

// A snapshot is a head (magic, version of the format, the release that wrote it, CRC32C of these;
// the same in all formats to come, so that any release can tell what to install) and a body of
// chunks. The records in it, each behind its tag: the state's own figures, the origins, then user
// by user the account, its ids of ONCE and its items, and at last the counts.
const (
	snapshotMagic = "CIDERSNP"
	maxRelease    = 100 // bytes of Release that are written

	tagState   = 'S' // index, time, last user id, whether it is closed
	tagEntries = 'V' // the highest version of entries that the log has held; from format 2 on
	tagOrigin  = 'O' // server id, incarnation, sequence
	tagUser    = 'U' // id, name, hash, epoch, version counter of the keyspace
	tagOnce    = 'R' // of the user before it: id, time, kind, number
	tagItem    = 'I' // of the user before it: key, value, version, deadline
	tagEnd     = 'E' // users, items, hash of the state
)

// The formats. A state is written in the oldest one that can hold it, so that the release before this one
// reads it for as long as nothing has been used that it does not know.
const (
	snapshotFirst   = 1
	snapshotEntries = 2 // format 1, and tagEntries
	snapshotNewest  = snapshotEntries
)

// Release is the version of ciderd that snapshots are marked with, so that an older release that
// meets a newer format can say what to install.
var Release = "dev"

// snapshot is the state as it was at one index; the state itself goes on changing.
type snapshot struct {
	index, time uint64
	last        uint64
	closed      bool
	entries     byte
	origins     map[string]origin
	users       []frozenUser
	store       *cache.StoreView
	hash        uint64
}

type frozenUser struct {
	*User
	once []remembered
}

// Snapshot freezes the state. It copies a few words for each user and origin and no item at all:
// no entry is applied while it runs.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	if f.halted != nil {
		return nil, fmt.Errorf("no snapshot after %w", f.halted)
	}
	return f.freeze(), nil
}

func (f *FSM) freeze() *snapshot {
	s := f.state.Load()
	snap := &snapshot{
		index: s.index, time: uint64(s.time), last: s.users.last, closed: s.closed, entries: s.entries,
		origins: make(map[string]origin, len(s.origins)),
		users:   make([]frozenUser, 0, len(s.users.byID)),
		store:   s.store.Freeze(), hash: s.hash(),
	}
	for id, row := range s.origins {
		snap.origins[id] = row
	}
	for _, a := range s.users.byID {
		snap.users = append(snap.users, frozenUser{a.user, a.once.order})
	}
	return snap
}

// Persist streams the snapshot out while entries go on being applied.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.write(sink); err != nil {
		_ = sink.Cancel() // the error that made us cancel is the one to tell
		return err
	}
	return sink.Close()
}

// Release does nothing: what was frozen is freed with the snapshot.
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
	s.writeOrigins(c)
	items := s.writeUsers(c)
	c.buf = append(c.buf, tagEnd)
	c.buf = binary.AppendUvarint(c.buf, uint64(len(s.users)))
	c.buf = binary.AppendUvarint(c.buf, items)
	c.buf = binary.LittleEndian.AppendUint64(c.buf, s.hash)
	return c.finish()
}

func (s *snapshot) format() byte {
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
	slices.SortFunc(s.users, func(a, b frozenUser) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	next := 0
	s.store.Each(func(id, version uint64, view *cache.View) bool {
		// Users and keyspaces are made and dropped together, so the two lists run in step.
		user := s.users[next]
		next++
		c.user(user, version)
		view.Range(func(key, value []byte, version uint64, deadline int64) bool {
			items++
			c.item(key, value, version, deadline)
			return c.err == nil
		})
		return c.err == nil
	})
	return items
}

func (c *chunkWriter) user(u frozenUser, version uint64) {
	c.buf = binary.AppendUvarint(append(c.buf, tagUser), u.ID)
	c.buf = appendBytes(appendBytes(c.buf, []byte(u.Name)), u.Hash)
	c.buf = binary.AppendUvarint(c.buf, u.Epoch)
	c.buf = binary.AppendUvarint(c.buf, version)
	c.flushFull()
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

// Dump writes the whole state as text in one canonical order, for tests that compare nodes.
// It must not run beside Apply.
func (f *FSM) Dump() string {
	var b strings.Builder
	dumpState(&b, f.state.Load(), f.freeze())
	return b.String()
}
