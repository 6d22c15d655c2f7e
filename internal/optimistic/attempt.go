package optimistic

import (
	"bytes"
	"errors"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
)

// MostBytes is how much one transaction writes, encoded.
const MostBytes = 4 << 20

// Why a try cannot go on.
var (
	// ErrTooLarge: it reads or writes more keys than a transaction holds, or writes more bytes than MostBytes.
	ErrTooLarge = errors.New("transaction too large, at most 4 MiB of writes")
	// ErrStale: something that it has read was changed since. Run begins another try.
	ErrStale = errors.New("what was read has changed since")
)

// Item is what a key has.
type Item struct {
	Value    []byte // must not be modified
	Deadline int64  // Unix milliseconds; 0: none
	Version  uint64 // 0: of the try's own
}

// Attempt is one try. It is for one goroutine.
type Attempt struct {
	keyspace *cache.Keyspace
	now      int64
	read     map[string]uint64 // the versions; 0: there is none
	whole    bool              // the keyspace as a whole was read, at version
	version  uint64
	written  map[string]*Item // nil: removed
	size     int              // of what is written, encoded
}

// perWrite is about what a write takes in an entry besides key and value.
const perWrite = 32

func newAttempt(ks *cache.Keyspace, now int64) *Attempt {
	return &Attempt{keyspace: ks, now: now, read: map[string]uint64{}, written: map[string]*Item{}}
}

// Now is the time of the try, in Unix milliseconds: what it reads has not expired then.
func (a *Attempt) Now() int64 { return a.now }

// Get returns the item of a key, as the try itself has left it. Its error is ErrStale or ErrTooLarge.
func (a *Attempt) Get(key []byte) (item Item, there bool, err error) {
	if it, ok := a.written[string(key)]; ok {
		if it == nil || it.Deadline != 0 && it.Deadline <= a.now {
			return Item{}, false, nil
		}
		return *it, true, nil
	}
	found, there := a.keyspace.Get(key, a.now)
	before, again := a.read[string(key)]
	switch {
	case again && before != found.Version:
		return Item{}, false, ErrStale
	case !again && len(a.read) >= fsm.MaxInExec:
		return Item{}, false, ErrTooLarge
	case !again:
		a.read[string(key)] = found.Version
	}
	return Item{Value: found.Value, Deadline: found.Deadline, Version: found.Version}, there, nil
}

// Set stores an item, in place of what the key has. It copies key and value. What the key had before is no condition,
// unless it was read. Its error is ErrTooLarge.
func (a *Attempt) Set(key []byte, item Item) error {
	return a.write(key, &Item{Value: bytes.Clone(item.Value), Deadline: item.Deadline})
}

// Delete removes the item of a key, if there is one. Its error is ErrTooLarge.
func (a *Attempt) Delete(key []byte) error { return a.write(key, nil) }

func (it *Item) encoded(key string) int {
	if it == nil {
		return perWrite + len(key)
	}
	return perWrite + len(key) + len(it.Value)
}

func (a *Attempt) write(key []byte, item *Item) error {
	old, again := a.written[string(key)]
	size := a.size + item.encoded(string(key))
	if again {
		size -= old.encoded(string(key))
	}
	if size > MostBytes || !again && len(a.written) >= fsm.MaxInExec {
		return ErrTooLarge
	}
	a.written[string(key)], a.size = item, size
	return nil
}

// Whole returns a view of all items, and makes any change of the user's cache a condition: for what lists or counts keys.
// The view does not have what the try itself has written, see Written. Its error is ErrStale.
func (a *Attempt) Whole() (*cache.View, error) {
	v := a.keyspace.Freeze()
	if a.whole && v.Version() != a.version {
		return nil, ErrStale
	}
	a.whole, a.version = true, v.Version()
	return v, nil
}

// Written calls fn with each key that the try has written so far, in no order; nil: it has removed the item.
func (a *Attempt) Written(fn func(key string, item *Item)) {
	for key, item := range a.written {
		fn(key, item)
	}
}
