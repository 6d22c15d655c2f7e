package storage

import (
	"encoding/binary"
	"fmt"
	"time"
)

// The term and the vote. Raft panics when its term cannot be stored. A full disk is no reason for
// that, nor for an answer: a node that cannot store its vote does not vote, and one that cannot store
// its term has not heard of it. So once Raft runs such a write waits for room, and with it Raft, while
// reads go on: they need neither.
//
// The few other values that are kept beside them are ours, and an error is an answer that we can deal
// with: they wait neither for room nor for a vote that does.
//
// It hardly ever comes to that: bbolt writes these few bytes into pages that the write before has
// freed, which have their place on the disk already.

const (
	// roomPoll is how often a vote that waits looks for room. The whole of raft.db is read after a
	// write that failed, so one is only tried when there is some, or (a quota does not show) every
	// roomTry.
	roomPoll = 100 * time.Millisecond
	roomTry  = 5 * time.Second
	roomVote = 64 << 10 // bytes
)

// What Raft calls its term and its vote. Of a vote it stores the term first and then for whom; a crash in
// between would leave the new term with the last one's candidate, who would be given this vote too,
// whatever its log. The other way round is harmless, as Raft's current term is stored before: votes of
// earlier ones are not asked for any more. So the term waits here for the candidate.
const (
	keyTerm          = "CurrentTerm"
	keyVoteTerm      = "LastVoteTerm"
	keyVoteCandidate = "LastVoteCand"
)

// Set stores a value, synced.
func (c *checked) Set(key, value []byte) error {
	switch string(key) {
	case keyTerm, keyVoteTerm, keyVoteCandidate:
		return c.setVote(key, value)
	}
	return c.write("writing a value", func() error { return c.backend.Set(key, summed(key, value)) })
}

func (c *checked) setVote(key, value []byte) error {
	c.stable.Lock()
	defer c.stable.Unlock()
	if string(key) == keyVoteTerm {
		c.voteTerm = append([]byte(nil), value...)
		return nil
	}
	if err := c.set(key, value); err != nil || string(key) != keyVoteCandidate || c.voteTerm == nil {
		return err
	}
	err := c.set([]byte(keyVoteTerm), c.voteTerm)
	if err == nil {
		c.voteTerm = nil
	}
	return err
}

// set holds stable while it waits: two goroutines of Raft's may store terms, and must not overtake
// each other.
func (c *checked) set(key, value []byte) error {
	write := func() error { return c.backend.Set(key, summed(key, value)) }
	err := c.write("writing the vote", write)
	for noRoom(err) && c.hooks.Load() != nil {
		c.waiting.Store(true)
		c.waitForRoom()
		err = c.write("writing the vote", write)
	}
	c.waiting.Store(false)
	return err
}

// waitForRoom returns when a write is worth a try. After the store is closed it never does: Raft must
// not get an answer, and its process ends.
func (c *checked) waitForRoom() {
	c.tellNoRoom()
	for waited := time.Duration(0); waited < roomTry; waited += roomPoll {
		select {
		case <-time.After(roomPoll):
		case <-c.closed:
			select {}
		}
		if free, err := FreeSpace(c.dir); err == nil && free >= roomVote {
			return
		}
	}
}

func (c *checked) SetUint64(key []byte, value uint64) error {
	return c.Set(key, binary.LittleEndian.AppendUint64(nil, value))
}

func (c *checked) GetUint64(key []byte) (uint64, error) {
	value, err := c.Get(key)
	switch {
	case err != nil:
		return 0, err
	case len(value) != 8:
		return 0, fmt.Errorf("value %q: %w", key, ErrDamaged)
	}
	return binary.LittleEndian.Uint64(value), nil
}
