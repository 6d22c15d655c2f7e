package storage

import (
	"encoding/binary"
	"fmt"
	"time"
)

// The term and the vote. Raft panics when its term cannot be stored. A full disk is no reason for that, nor for an
// answer: a node that cannot store its vote does not vote, and one that cannot store its term has not heard of it.
// So once Raft runs such a write waits for space, and Raft with it, while reads continue: they need neither.
//
// The few other values stored with them are ours, and we can handle an error: they wait neither for space nor for a
// vote that does.
//
// Waiting is rare: bbolt writes these few bytes into pages that the previous write has freed, which are already
// allocated on the disk.

const (
	// spacePoll is how often a waiting vote checks for space. After a failed write all of raft.db is read again, so
	// a write is only tried when there is space, or (a quota does not show) every spaceTry.
	spacePoll = 100 * time.Millisecond
	spaceTry  = 5 * time.Second
	spaceVote = 64 << 10 // bytes
)

// Raft's keys for its term and its vote. It stores a vote's term first and then its candidate. A crash in between
// would leave the new term with the previous candidate, who would be given this vote too, whatever its log. The
// reverse order is harmless, as Raft's current term is stored earlier: votes of earlier terms are no longer asked
// for. So here the vote's term waits for the candidate.
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

// set holds stable while it waits: two of Raft's goroutines may store terms, and must not overtake each other.
func (c *checked) set(key, value []byte) error {
	write := func() error { return c.backend.Set(key, summed(key, value)) }
	err := c.write("writing the vote", write)
	for noSpace(err) && c.hooks.Load() != nil {
		c.waiting.Store(true)
		c.waitForSpace()
		err = c.write("writing the vote", write)
	}
	c.waiting.Store(false)
	return err
}

// waitForSpace returns when a write is worth a try. After the store is closed it never returns: Raft must not get
// an answer, and its process ends.
func (c *checked) waitForSpace() {
	c.tellNoSpace()
	for waited := time.Duration(0); waited < spaceTry; waited += spacePoll {
		select {
		case <-time.After(spacePoll):
		case <-c.closed:
			select {}
		}
		if free, err := FreeSpace(c.dir); err == nil && free >= spaceVote {
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
