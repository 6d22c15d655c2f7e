package storage

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// What a directory remembers about the history of its cluster and its server.
var (
	keyRecovered  = []byte("ciderd.recovered")
	keyRecovering = []byte("ciderd.recovering")
	keyRemoved    = []byte("ciderd.removed")
	keyJoined     = []byte("ciderd.joined")
	keyMet        = []byte("ciderd.met")
	keyLimits     = []byte("ciderd.limits")
)

// Notes are what a directory remembers of its cluster and its server, besides Raft's own values.
type Notes struct{ s *Storage }

// Notes returns the directory's notes.
func (s *Storage) Notes() Notes { return Notes{s} }

// Recovered returns when the cluster of this directory was last recovered from the loss of its quorum, in Unix
// milliseconds; 0: never. It distinguishes a cluster from the one before its recovery.
func (n Notes) Recovered() (int64, error) {
	ms, err := n.s.Stable.GetUint64(keyRecovered)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return 0, nil
	}
	return int64(ms), err
}

// SetRecovered stores what Recovered returns.
func (n Notes) SetRecovered(ms int64) error { return n.s.Stable.SetUint64(keyRecovered, uint64(ms)) }

// Recovering describes what a directory was before a recovery of it began. A directory that has it is neither what
// it was nor a recovered one.
type Recovering struct {
	Copy     string // the name of the kept copy, next to the directory
	ServerID string
	Servers  []raft.Server // of its configuration
}

// Recovering returns the recovery that was begun and not finished; nil: there is none.
func (n Notes) Recovering() (*Recovering, error) {
	text, err := n.s.Stable.Get(keyRecovering)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) || err == nil && len(text) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Recovering{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("value %q: %w", keyRecovering, err)
	}
	return r, nil
}

// SetRecovering stores what Recovering returns.
func (n Notes) SetRecovering(r *Recovering) error {
	if r == nil {
		return n.s.Stable.Set(keyRecovering, nil)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return n.s.Stable.Set(keyRecovering, text)
}

// Removed reports whether this directory's server was removed from its cluster before it had any of its data, so
// that nothing else here says so.
func (n Notes) Removed() (bool, error) {
	_, err := n.s.Stable.Get(keyRemoved)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

// SetRemoved makes Removed true, for as long as the directory exists.
func (n Notes) SetRemoved() error { return n.s.Stable.SetUint64(keyRemoved, 1) }

// Joined reports whether SetJoined has noted this directory's server as a member of its cluster. A note under an
// earlier short id does not count.
func (n Notes) Joined() (bool, error) {
	id, err := n.s.Stable.Get(keyJoined)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil && string(id) == n.s.ShortID, err
}

// SetJoined makes Joined true, for as long as the directory has its short id.
func (n Notes) SetJoined() error { return n.s.Stable.Set(keyJoined, []byte(n.s.ShortID)) }

// Limits returns what SetLimits stored; empty: nothing.
func (n Notes) Limits() (string, error) {
	text, err := n.s.Stable.Get(keyLimits)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return "", nil
	}
	return string(text), err
}

// SetLimits notes what was last taken over from the limits of this node's file.
func (n Notes) SetLimits(text string) error { return n.s.Stable.Set(keyLimits, []byte(text)) }

// Met returns the addresses at which the nodes of the cluster were last met, by their addresses in the file.
func (n Notes) Met() (map[string]string, error) {
	text, err := n.s.Stable.Get(keyMet)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	met := map[string]string{}
	if err := json.Unmarshal(text, &met); err != nil {
		return nil, fmt.Errorf("value %q: %w", keyMet, err)
	}
	return met, nil
}

// SetMet stores what Met returns.
func (n Notes) SetMet(met map[string]string) error {
	text, err := json.Marshal(met)
	if err != nil {
		return err
	}
	return n.s.Stable.Set(keyMet, text)
}
