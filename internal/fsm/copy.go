package fsm

import (
	"errors"
	"fmt"

	"ciderd/internal/cache"
)

// Copy is all users and their items as they were at one instant, while the state goes on changing. It keeps in memory what
// has been replaced since, until it has been read. It is for one goroutine.
type Copy struct {
	// Time is the log's, in Unix milliseconds: what has expired by then is left out. Where nothing has been written for
	// long it is long ago; the reader may set a later one.
	Time    int64
	Entries int // InUse: what reads the copy must know entries of that version
	snap    *snapshot
}

// CopiedUser is a user of a Copy. Nothing of it may be modified.
type CopiedUser struct {
	Name, Hash     []byte
	Locked         bool
	Quota, Reserve int64  // its own, in bytes; 0: none
	Version        uint64 // the highest that its keyspace has given
	Replies        []CopiedReply
}

// CopiedReply is an id of ONCE, with the reply to it.
type CopiedReply struct {
	ID   string
	At   int64 // the log's time, in Unix milliseconds
	Kind Kind
	N    int64
}

// CopiedItem is an item of a Copy. Nothing of it may be modified.
type CopiedItem struct {
	Key, Value []byte
	Deadline   int64 // Unix milliseconds; 0: none
}

var (
	// ErrRestoring means that there is no copy while a user is being restored: it would hold a part of that user.
	ErrRestoring = errors.New("a user is being restored")
	errHalted    = errors.New("this node has stopped applying the log")
	errEmptied   = errors.New("this node is taking its state from a snapshot")
)

// CopyOf copies the state of f. No entry is applied meanwhile, so it costs what a snapshot does. It may be called from any
// goroutine. The error wraps ErrRestoring and names the user, or says that this node has no state to copy.
func CopyOf(f *FSM) (*Copy, error) {
	f.applying.Lock()
	defer f.applying.Unlock()
	switch {
	case f.halted != nil:
		return nil, errHalted
	case f.emptied:
		return nil, errEmptied
	}
	for _, a := range f.state.Load().users.all() {
		if a.user.Restoring {
			return nil, fmt.Errorf("%w: %s", ErrRestoring, a.user.Name)
		}
	}
	snap := f.freeze()
	return &Copy{Time: int64(snap.time), Entries: f.InUse(), snap: snap}, nil
}

// Drain passes each user, and after it each of its items that had not expired, in no order, until one of the two returns
// an error. What has been passed is let go of: the copy is empty after that.
func (c *Copy) Drain(user func(CopiedUser) error, item func(CopiedItem) error) error {
	snap := c.snap
	c.snap = nil
	if snap == nil {
		return errors.New("the copy has been read already")
	}
	var err error
	snap.eachUser(func(u frozenUser, version uint64, view *cache.View) bool {
		if err = user(u.copied(version)); err != nil {
			return false
		}
		view.Drain(func(key, value []byte, _ uint64, deadline int64) bool {
			if deadline != 0 && deadline <= c.Time {
				return true
			}
			err = item(CopiedItem{Key: key, Value: value, Deadline: deadline})
			return err == nil
		})
		return err == nil
	})
	return err
}

func (u frozenUser) copied(version uint64) CopiedUser {
	c := CopiedUser{
		Name: []byte(u.Name), Hash: u.Hash, Locked: u.Locked, Quota: u.share.quota, Reserve: u.share.reserve, Version: version,
	}
	for _, r := range u.once {
		c.Replies = append(c.Replies, CopiedReply{r.id, r.at, r.result.Kind, r.result.N})
	}
	return c
}

// What limits count, in bytes, for an account without ids of ONCE and items, for such an id, and for an item.

// AccountMemory takes the sizes of name and hash.
func AccountMemory(name, hash int) int64 { return int64(accountMemory + name + hash) }

// ReplyMemory takes the size of the id.
func ReplyMemory(id int) int64 { return onceMemory(id) }

// ItemMemory takes the sizes of key and value, and whether there is a deadline.
func ItemMemory(key, value int, deadline bool) int64 { return cache.MemoryOf(key, value, deadline) }

// MostReserve is what may be reserved of a quota, and MostReserves what all reserves together may take of the limit on
// memory. All are in bytes.
func MostReserve(quota int64) int64 { return part(quota, 15, 16) }

// MostReserves is said of at MostReserve.
func MostReserves(limit int64) int64 { return reservable(limit) }
