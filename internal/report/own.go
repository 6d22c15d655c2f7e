package report

import (
	"encoding/json"
	"time"
)

// Own is what a node says of itself, to operators and to other nodes. Its fields are on the wire: a node leaves out and
// skips what it does not know, so fields are only added.
type Own struct {
	Node, Version string
	Address       string // where people and scripts reach it; empty: nowhere without TLS
	Role          string
	Leader        string // whom it takes for the leader; empty: nobody
	NotReady      string // why it serves no reads; empty: it does
	NotWritable   string // why it takes no writes; empty: as far as it knows it does
	Draining      bool   `json:",omitempty"`
	Voter         bool
	Started, Wall int64 // Unix milliseconds: when it started, and its machine's clock
	Applied       uint64

	Users, Keys                 int
	Memory, Limit               int64 // bytes: counted, and limits.max_memory; 0: none
	Resident, Machine           int64 // bytes: what the process takes, and what there is for it; 0: not known
	Connections, MaxConnections int
	OpenFiles, MaxFiles         int // 0: not known
	LoginsWaiting               int
	DiskFree                    uint64 // bytes; 0: not known yet
	NoSpace                     bool   `json:",omitempty"`
	LogBytes, SnapshotBytes     int64
	BackupAt                    int64            `json:",omitempty"` // Unix milliseconds, of the last backup; 0: there was none
	BackupOn                    string           `json:",omitempty"` // the node that made it
	Expires                     map[string]int64 `json:",omitempty"` // Unix seconds, of certificates by their files

	Now    Rates // of the last ten seconds
	Minute Rates
	Recent Rates // of the last quarter of an hour

	Settings map[string]string // of its file, those that all nodes should have alike
	Notices  []string          `json:",omitempty"`
}

// Machine is what an Own has of the process and the machine.
type Machine struct {
	Memory, Resident    int64
	OpenFiles, MaxFiles int
}

// Own returns what this node says of itself now.
func (s *Source) Own() Own {
	r := s.Report()
	m := s.Machine()
	o := Own{
		Node: r.Node, Version: r.Version, Address: s.Address, Role: r.Role, Leader: r.Leader, Voter: r.Voter,
		NotReady: r.NotReady(), NotWritable: r.NotWritable(), Draining: r.Draining, Started: s.Started.UnixMilli(), Wall: time.Now().UnixMilli(), Applied: r.Applied,
		Users: r.Users, Keys: r.State.Items, Memory: r.State.Memory, Limit: r.State.MemoryLimit,
		Resident: m.Resident, Machine: m.Memory, Connections: r.Sessions, MaxConnections: r.Clients.MaxConnections,
		OpenFiles: m.OpenFiles, MaxFiles: m.MaxFiles, LoginsWaiting: r.Logins.Waiting,
		DiskFree: r.Log.Space.Free, NoSpace: r.NoSpace, LogBytes: r.Log.Disk.Log, SnapshotBytes: r.Log.Disk.Snapshot,
		Now: s.History.Over(10 * time.Second), Minute: s.History.Over(time.Minute), Recent: s.History.Over(kept),
		Settings: s.Settings(), Notices: r.Notices,
	}
	o.BackupAt, o.BackupOn = r.State.Backup.At, r.State.Backup.Node
	for file, at := range s.Certificates() {
		if o.Expires == nil {
			o.Expires = map[string]int64{}
		}
		o.Expires[file] = at.Unix()
	}
	return o
}

// Counters returns what a History notes.
func (s *Source) Counters() Counters {
	load, clients, state, log := s.Load(), s.Clients(), s.State(), s.Log()
	return Counters{
		Commands: load.Commands, Reads: load.Reads, Writes: load.Writes,
		Hits: clients.Sessions.Hits, Misses: clients.Sessions.Misses, Evicted: state.Evicted, Memory: state.Memory, Limit: state.MemoryLimit,
		LeaderChanges: log.LeaderChanges, Wrong: s.Accounts().Wrong, SnapshotsFailed: log.SnapshotsFailed, Commit: log.Pipeline.Commit, Sync: log.Disk.Sync,
	}
}

// Tell returns Own for the wire.
func (s *Source) Tell() json.RawMessage {
	text, err := json.Marshal(s.Own())
	if err != nil { // of numbers that are none; there are none
		return nil
	}
	return text
}
