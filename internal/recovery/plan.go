package recovery

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
	"ciderd/internal/storage"
)

// answerTimeout is how long to wait for another node of the cluster.
const answerTimeout = time.Second

// Survivor is a stopped node of a cluster that has lost its quorum for good.
type Survivor struct {
	Cluster string
	Node    string
	Members peer.Members
	DataDir string
	// Security is how other nodes are asked; nil: without encryption.
	Security *peer.Security
	Log      hclog.Logger
}

// Plan says what a directory has, and what recovering from it means.
type Plan struct {
	DataDir   string
	ServerID  string    // what it is now
	Recovered time.Time // when it was recovered the last time; zero: never
	// BrokenOff is the kept copy of a recovery that was begun here and not finished; empty: there is none. The
	// server and the voters below are those from before it.
	BrokenOff string

	SnapshotIndex, SnapshotTerm uint64 // zero: there is none
	LastIndex, LastTerm         uint64
	// LastWrite is the cluster's time of the last write that the directory has; zero: there is none.
	LastWrite time.Time
	// The log after the snapshot: a follower's disk does not tell how much of it was committed.
	Open, OpenCommands int
	Users              int
	Bytes              int64 // of keys and values, about

	Voters, NonVoters []string // server ids
	Answering         []string // those that answer on their peer ports now, without this one

	begun   *storage.Recovering // nil: none
	servers []raft.Server       // Voters and NonVoters
}

// QuorumLost reports whether too few servers answer to continue together with this one.
func (p *Plan) QuorumLost() bool {
	alive := 0
	for _, v := range p.Voters {
		if v == p.ServerID {
			alive++
		}
		for _, a := range p.Answering {
			if a == v {
				alive++
			}
		}
	}
	return alive < len(p.Voters)/2+1
}

// Plan reads the whole directory, as recovering would, and changes nothing. It fails while a process uses the
// directory.
func (r *Survivor) Plan(ctx context.Context) (*Plan, error) {
	st, err := storage.Look(r.DataDir, r.Log)
	if err != nil {
		return nil, err
	}
	p, err := r.plan(ctx, st)
	return p, errors.Join(err, st.Close())
}

func (r *Survivor) plan(ctx context.Context, st *storage.Storage) (*Plan, error) {
	p := &Plan{DataDir: r.DataDir, ServerID: r.Node + "/" + st.ShortID}
	if !st.Known {
		return nil, fmt.Errorf("%s is empty: there is nothing to recover from", r.DataDir)
	}
	if err := st.BelongsTo(r.DataDir, storage.Owner{Cluster: r.Cluster, Node: r.Node}); err != nil {
		return nil, err
	}
	last, err := st.Notes().Recovered()
	if err != nil {
		return nil, err
	}
	if last != 0 {
		p.Recovered = time.UnixMilli(last)
	}
	s := &survey{plan: p}
	s.fsm = fsm.New(p.ServerID, fsm.Hooks{
		Stamp: func(ms int64) { p.LastWrite = time.UnixMilli(ms) },
		Fatal: func(err error) { s.err = err },
	})
	if err := s.read(st); err != nil {
		return nil, err
	}
	p.Users, p.Bytes = s.fsm.Stats().Users, s.fsm.Size()
	p.servers = s.configuration.Servers
	if p.begun, err = st.Notes().Recovering(); err != nil {
		return nil, err
	}
	if p.begun != nil {
		// The servers that count are those from before the recovery.
		p.BrokenOff = filepath.Join(filepath.Dir(filepath.Clean(r.DataDir)), p.begun.Copy)
		p.ServerID, p.servers = p.begun.ServerID, p.begun.Servers
	}
	for _, server := range p.servers {
		if server.Suffrage == raft.Voter {
			p.Voters = append(p.Voters, string(server.ID))
		} else {
			p.NonVoters = append(p.NonVoters, string(server.ID))
		}
	}
	met, err := st.Notes().Met()
	if err != nil {
		return nil, err
	}
	p.Answering = r.answering(ctx, p, peer.NewBook(nil, met))
	return p, nil
}

// survey reads a directory as Raft would at a start with everything committed.
type survey struct {
	plan          *Plan
	fsm           *fsm.FSM
	configuration raft.Configuration
	err           error // what the FSM cannot apply
}

func (s *survey) read(st *storage.Storage) error {
	snapshots, err := st.Snapshots.List()
	if err != nil {
		return err
	}
	p := s.plan
	if len(snapshots) > 0 {
		meta, r, err := st.Snapshots.Open(snapshots[0].ID)
		if err != nil {
			return err
		}
		if err := s.fsm.Restore(r); err != nil {
			return fmt.Errorf("snapshot %s: %w", meta.ID, err)
		}
		p.SnapshotIndex, p.SnapshotTerm, s.configuration = meta.Index, meta.Term, meta.Configuration
		p.LastIndex, p.LastTerm = meta.Index, meta.Term
	}
	end, err := st.Logs.LastIndex()
	if err != nil {
		return err
	}
	for index := p.SnapshotIndex + 1; index <= end; index++ {
		if err := s.entry(st, index); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) entry(st *storage.Storage, index uint64) error {
	var l raft.Log
	if err := st.Logs.GetLog(index, &l); err != nil {
		return fmt.Errorf("entry %d of the log: %w", index, err)
	}
	p := s.plan
	p.Open++
	p.LastIndex, p.LastTerm = l.Index, l.Term
	switch l.Type {
	case raft.LogConfiguration:
		s.configuration = raft.DecodeConfiguration(l.Data)
	case raft.LogCommand:
		if h, _, err := fsm.ReadEntry(l.Data); err == nil {
			p.OpenCommands += h.Count
		}
		s.fsm.Apply(&l) // which reports ReadEntry's error
	}
	return s.err
}

// answering returns which servers of the configuration still answer, also while names do not resolve.
func (r *Survivor) answering(ctx context.Context, p *Plan, book *peer.Book) []string {
	self := peer.Identity{Cluster: r.Cluster, Node: r.Node, ServerID: p.ServerID}
	others := slices.DeleteFunc(slices.Concat(p.Voters, p.NonVoters), func(id string) bool { return id == p.ServerID })
	network := peer.NewNetwork(self, r.Members, book, r.Log)
	network.Security = r.Security
	defer network.Close()
	return network.Reachable(ctx, others, answerTimeout)
}
