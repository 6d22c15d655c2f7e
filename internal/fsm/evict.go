package fsm

import (
	"encoding/binary"
	"fmt"

	"ciderd/internal/cache"
)

// An eviction is an entry of its own type, with the head, stamp and checksums of a batch, and this body:
//
//	heat epoch, target, room, number of victims, for each: user, key, version
//
// It has no origin: a victim is named with its version, so that nothing is evicted twice, or that was changed since.
// The leader chooses; Apply only checks that the user has more than its guarantee, or nearly its quota, and deletes.
// So how victims are chosen can change from release to release.
const entryEvict = 2

// The bounds of one eviction.
const (
	MaxVictims    = 1024
	MaxEvictBytes = 64 << 10
	MaxRoom       = 8 << 20
)

// Victim is an item to evict.
type Victim struct {
	User    uint64
	Key     []byte
	Version uint64
}

// Eviction is what one entry evicts.
type Eviction struct {
	Epoch   uint64 // another one than that of the last eviction: a new epoch of the heat begins
	Target  int64  // the limit that the leader works to, in bytes
	Room    int64  // what a user with a quota is about to store, in bytes: so much more of its own may go
	Victims []Victim
}

// AppendEviction appends the entry of e, which must have at most MaxVictims victims.
func AppendEviction(dst []byte, e *Eviction) []byte {
	start := len(dst)
	dst = append(dst, version4, entryEvict)
	dst = append(dst, make([]byte, bodyAt-2)...)
	dst = binary.AppendUvarint(dst, e.Epoch)
	dst = binary.AppendVarint(dst, e.Target)
	dst = binary.AppendVarint(dst, e.Room)
	dst = binary.AppendUvarint(dst, uint64(len(e.Victims)))
	for i := range e.Victims {
		dst = e.Victims[i].append(dst)
	}
	entry := dst[start:]
	binary.LittleEndian.PutUint32(entry[2:], checksum(entry))
	SetStamp(entry, 0)
	return dst
}

func (v *Victim) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, v.User)
	dst = appendBytes(dst, v.Key)
	return binary.AppendUvarint(dst, v.Version)
}

// Size returns what the victim takes in an entry at most, in bytes.
func (v *Victim) Size() int { return 3*binary.MaxVarintLen64 + len(v.Key) }

func isEviction(entry []byte) bool { return entry[1] == entryEvict && entry[0] >= version4 }

// readEviction reads the body of an entry, and passes each victim to fn. The victim's key points into the entry.
func readEviction(entry []byte, fn func(v *Victim)) (e Eviction, err error) {
	d := decoder{rest: entry[bodyAt:]}
	e.Epoch, e.Target, e.Room = d.uvarint(), d.varint(), d.varint()
	n := d.uvarint()
	if d.bad || len(entry) > 2*MaxEvictBytes || n > MaxVictims || e.Target < 0 || e.Room < 0 || e.Room > MaxRoom {
		return e, fmt.Errorf("%w: eviction", ErrCorrupt)
	}
	var v Victim // one for all: fn makes it escape
	for range n {
		v = Victim{User: d.uvarint(), Key: d.key(), Version: d.uvarint()}
		if d.bad {
			return e, fmt.Errorf("%w: victim", ErrCorrupt)
		}
		fn(&v)
	}
	if len(d.rest) > 0 {
		return e, fmt.Errorf("%w: %d bytes behind the last victim", ErrCorrupt, len(d.rest))
	}
	return e, nil
}

func checkEviction(entry []byte) error {
	_, err := readEviction(entry, func(*Victim) {})
	if err == nil {
		if stamp := stampOf(entry); stamp < 0 || stamp > maxStamp {
			err = fmt.Errorf("%w: stamp %d", ErrCorrupt, stamp)
		}
	}
	return err
}

func stampOf(entry []byte) int64 { return int64(binary.LittleEndian.Uint64(entry[stampAt:])) }

// evict applies an eviction whose checksums are right. The work of one is bounded, like that of a batch. An entry that
// is malformed all the same ends at the same place on every node.
func (a *applier) evict(entry []byte) {
	a.account = nil
	expire(a, expirePerBatch)
	d := decoder{rest: entry[bodyAt:]}
	epoch, target := d.uvarint(), d.varint()
	a.room = d.varint()
	a.ledger.aim(target)
	if epoch != a.epoch { // the heat is no part of the state: a restored node, which may lead, counts from 0
		a.epoch = epoch
		a.store.SetHeatEpoch(a.store.HeatEpoch() + 1)
	}
	a.victims.of = a
	_, _ = readEviction(entry, a.victims.add)
	a.victims.evict()
}

// together is some victims of one user that are evicted together. They are items that nobody has used for long: each
// would wait for memory by itself.
type together struct {
	of      *applier
	victims []Victim
}

func (t *together) add(v *Victim) {
	if len(t.victims) == cache.WarmAtOnce || len(t.victims) > 0 && t.victims[0].User != v.User {
		t.evict()
	}
	t.victims = append(t.victims, *v)
}

func (t *together) evict() {
	if len(t.victims) > 1 {
		if account := t.of.users.byID[t.victims[0].User]; account != nil {
			var keys [cache.WarmAtOnce][]byte
			for i := range t.victims {
				keys[i] = t.victims[i].Key
			}
			account.keyspace.Warm(keys[:len(t.victims)])
		}
	}
	for i := range t.victims {
		t.of.victim(&t.victims[i])
	}
	clear(t.victims) // the keys belong to the entry
	t.victims = t.victims[:0]
}

func (a *applier) victim(v *Victim) {
	if a.account == nil || a.account.user.ID != v.User {
		a.account = a.users.byID[v.User]
	}
	if a.account == nil || !a.mayEvict(a.account, a.room) || !a.account.keyspace.Evict(v.Key, v.Version) {
		return
	}
	a.ledger.evicted.Add(1)
	a.users.setShare(a.account, func(s *share) { s.evicted.Add(1) })
}

// mayEvict reports whether a user may lose an item now: to others, if it has more than its guarantee, or to itself, if
// its quota is nearly used, or would be with what the user is about to store.
func (s *state) mayEvict(u *account, room int64) bool {
	limits := s.ledger.current()
	if limits.Reject {
		return false
	}
	memory := u.memory()
	if quota := s.quota(u); quota > 0 && memory > part(quota, 15, 16)-room {
		return true
	}
	working := s.ledger.working.Load()
	return working > 0 && s.memory() > part(working, 7, 8) && memory > s.guarantee(u)
}
