package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// A directory belongs to one node of one cluster. Under other names no other node would know its server: it would
// wait forever, or believe that it was removed. So the directory keeps the names under which it was first used. A
// directory of a release that did not keep them has its node's name in Raft's configuration, as part of the
// server's id.

var keyOwner = []byte("ciderd.owner")

// Owner is the node and cluster that a directory belongs to.
type Owner struct {
	Cluster string // empty: unknown, from a release that did not keep it
	Node    string
}

func (o Owner) String() string {
	if o.Cluster == "" {
		return fmt.Sprintf("node %q", o.Node)
	}
	return fmt.Sprintf("node %q of cluster %q", o.Node, o.Cluster)
}

// BelongsTo returns nil if the directory is this node's, or may become so. It changes nothing. Otherwise the error
// is for an operator (ErrForPerson).
func (s *Storage) BelongsTo(dir string, self Owner) error {
	owner, err := owners{s}.owner()
	switch {
	case err != nil:
		return fmt.Errorf("whose %s is: %w", dir, err)
	case owner == nil, *owner == self, owner.Cluster == "" && owner.Node == self.Node:
		return nil
	}
	return ForPerson(fmt.Sprintf("%s belongs to %v, and this is %v: start it under the names that it has (in the file, and by -node or the host name), "+
		"or give this node a data_dir of its own; a single node grows into a cluster under the names that it has (OPERATIONS.md)", dir, *owner, self))
}

// Claim makes the directory this node's, unless it is another's.
func (s *Storage) Claim(dir string, self Owner) error {
	if err := s.BelongsTo(dir, self); err != nil {
		return err
	}
	if stored, err := (owners{s}).storedOwner(); err != nil || stored != nil && *stored == self {
		return err
	}
	text, err := json.Marshal(self)
	if err != nil {
		return err
	}
	return s.Stable.Set(keyOwner, text)
}

// owners finds the owner of a directory.
type owners struct{ *Storage }

// owner returns nil while the directory has nothing of any server: so a mistyped name can be corrected until the
// first start has had an effect.
func (s owners) owner() (*Owner, error) {
	taken, err := s.taken()
	if err != nil || !taken {
		return nil, err
	}
	if owner, err := s.storedOwner(); err != nil || owner != nil {
		return owner, err
	}
	name, err := s.nameInRaft()
	if err != nil || name == "" {
		return nil, err
	}
	return &Owner{Node: name}, nil
}

// taken reports whether the directory has entries, votes, or notes about its server.
func (s owners) taken() (bool, error) {
	recovered, err := s.Notes().Recovered()
	if err != nil || recovered != 0 || s.Known {
		return true, err
	}
	return s.Notes().Removed()
}

func (s owners) storedOwner() (*Owner, error) {
	text, err := s.Stable.Get(keyOwner)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) || err == nil && len(text) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	owner := &Owner{}
	if err := json.Unmarshal(text, owner); err != nil {
		return nil, fmt.Errorf("value %q: %w", keyOwner, err)
	}
	return owner, nil
}

// nameInRaft returns the node's name in the newest configuration that has this directory's server; empty: there is
// none.
func (s owners) nameInRaft() (string, error) {
	if begun, err := s.Notes().Recovering(); err != nil || begun != nil {
		if begun != nil { // its short id may already be another one
			return nodeName(begun.ServerID), nil
		}
		return "", err
	}
	if name, err := s.nameInLog(); err != nil || name != "" {
		return name, err
	}
	snapshots, err := s.Snapshots.List()
	if err != nil {
		return "", err
	}
	for _, meta := range snapshots {
		if name := s.nameIn(meta.Configuration); name != "" {
			return name, nil
		}
	}
	return "", nil
}

func (s owners) nameInLog() (string, error) {
	first, err := s.Logs.FirstIndex()
	if err != nil || first == 0 {
		return "", err
	}
	last, err := s.Logs.LastIndex()
	if err != nil {
		return "", err
	}
	for index := last; index >= first; index-- {
		var entry raft.Log
		err := s.store.GetLog(index, &entry)
		if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
			return "", err
		}
		if err == nil && entry.Type == raft.LogConfiguration {
			if name := s.nameIn(raft.DecodeConfiguration(entry.Data)); name != "" {
				return name, nil
			}
		}
	}
	return "", nil
}

func (s owners) nameIn(c raft.Configuration) string {
	for _, server := range c.Servers {
		if name, found := strings.CutSuffix(string(server.ID), "/"+s.ShortID); found {
			return name
		}
	}
	return ""
}

func nodeName(serverID string) string {
	name, _, _ := strings.Cut(serverID, "/")
	return name
}
