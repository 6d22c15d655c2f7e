package storage

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// What a directory remembers of what was done to its cluster and to its server.
var (
	keyRecovered  = []byte("ciderd.recovered")
	keyRecovering = []byte("ciderd.recovering")
	keyRemoved    = []byte("ciderd.removed")
	keyJoined     = []byte("ciderd.joined")
	keyMet        = []byte("ciderd.met")
)

// NewShortID makes the directory another server to Raft than it was.
func (s *Storage) NewShortID() (err error) {
	s.ShortID, err = s.drawShortID()
	return err
}

// Recovered is when the cluster of this directory was last recovered from the loss of its quorum, in
// Unix milliseconds; 0: never. It tells a cluster from what it was before.
func (s *Storage) Recovered() (int64, error) {
	ms, err := s.Stable.GetUint64(keyRecovered)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return 0, nil
	}
	return int64(ms), err
}

// SetRecovered stores what Recovered returns.
func (s *Storage) SetRecovered(ms int64) error { return s.Stable.SetUint64(keyRecovered, uint64(ms)) }

// Recovering is what a directory was before it was begun to be recovered. A directory that has one is
// neither what it was nor a recovered one.
type Recovering struct {
	Copy     string // the name of the kept copy, beside the directory
	ServerID string
	Servers  []raft.Server // of its configuration
}

// Recovering is the recovery that was begun and not finished; nil: there is none.
func (s *Storage) Recovering() (*Recovering, error) {
	text, err := s.Stable.Get(keyRecovering)
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
func (s *Storage) SetRecovering(r *Recovering) error {
	if r == nil {
		return s.Stable.Set(keyRecovering, nil)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.Stable.Set(keyRecovering, text)
}

// Removed tells whether this directory's server was taken out of its cluster before it had anything of
// it, so that nothing else here tells so.
func (s *Storage) Removed() (bool, error) {
	_, err := s.Stable.Get(keyRemoved)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

// SetRemoved makes Removed true, for as long as the directory is there.
func (s *Storage) SetRemoved() error { return s.Stable.SetUint64(keyRemoved, 1) }

// Joined tells whether this directory's server has been a member of its cluster, as SetJoined was told.
// What the directory was under another short id does not count.
func (s *Storage) Joined() (bool, error) {
	id, err := s.Stable.Get(keyJoined)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil && string(id) == s.ShortID, err
}

// SetJoined makes Joined true, for as long as the directory has its short id.
func (s *Storage) SetJoined() error { return s.Stable.Set(keyJoined, []byte(s.ShortID)) }

// Met is where the nodes of the cluster were met last, by their addresses in the file.
func (s *Storage) Met() (map[string]string, error) {
	text, err := s.Stable.Get(keyMet)
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
func (s *Storage) SetMet(met map[string]string) error {
	text, err := json.Marshal(met)
	if err != nil {
		return err
	}
	return s.Stable.Set(keyMet, text)
}
