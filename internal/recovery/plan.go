package recovery

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
	"ciderd/internal/storage"
)

// answerTimeout is how long another node of the cluster is waited for.
const answerTimeout = time.Second

// Survivor is a stopped node of a cluster that has lost its quorum for good.
type Survivor struct {
	Cluster string
	Node    string
	Members peer.Members
	DataDir string
	Log     hclog.Logger
}

// Plan is what a directory has, and what recovering from it means.
type Plan struct {
	DataDir   string
	ServerID  string    // what it is now
	Recovered time.Time // when it was recovered the last time; zero: never
	// BrokenOff is the kept copy of a recovery that was begun here and not finished; empty: there is none.
	// The server and the voters below are those of before it.
	BrokenOff string

	SnapshotIndex, SnapshotTerm uint64 // zero: there is none
	LastIndex, LastTerm         uint64
	// LastWrite is the cluster's time of the last write that the directory has; zero: there is none.
	LastWrite time.Time
	// The log behind the snapshot: a follower's disk does not tell how much of it was committed.
	Open, OpenCommands int
	Users              int
	Bytes              int64 // of keys and values, about

	Voters, NonVoters []string // server ids
	Answering         []string // those that answer on their peer ports now, without this one

	begun   *storage.Recovering // nil: none
	servers []raft.Server       // Voters and NonVoters
}

// QuorumLost tells whether those that answer are too few to go on together with this one.
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

// Plan reads all of the directory, as recovering would, and changes nothing. It fails while a
// process uses the directory.
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
	last, err := st.Recovered()
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
	p.Users, p.Bytes = s.fsm.Users(), s.fsm.Size()
	p.servers = s.configuration.Servers
	if p.begun, err = st.Recovering(); err != nil {
		return nil, err
	}
	if p.begun != nil {
		// Who must not be left out of the count is in what the directory was.
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
	met, err := st.Met()
	if err != nil {
		return nil, err
	}
	p.Answering = r.answering(ctx, p, peer.NewBook(nil, met))
	return p, nil
}

// survey goes through a directory as Raft would at a start with everything committed.
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
		s.fsm.Apply(&l) // which reports what ReadEntry has to say
	}
	return s.err
}

// answering finds out who of the configuration is still there, also while names do not resolve.
func (r *Survivor) answering(ctx context.Context, p *Plan, book *peer.Book) (ids []string) {
	all := append(append([]string(nil), p.Voters...), p.NonVoters...)
	self := peer.Identity{Cluster: r.Cluster, Node: r.Node, ServerID: p.ServerID}
	there := make([]bool, len(all))
	var wg sync.WaitGroup
	for i, id := range all {
		address, err := r.Members.Address(id)
		if err != nil || id == p.ServerID {
			continue
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, answerTimeout)
			defer cancel()
			conn, _, err := book.Dial(ctx, address, self, id, peer.KindQuery)
			if err == nil {
				conn.Close()
			}
			// One that takes this for another process of a server that it hears is there as well.
			var refusal *peer.Refusal
			there[i] = err == nil || errors.As(err, &refusal) && refusal.Other != nil
		})
	}
	wg.Wait()
	for i, id := range all {
		if there[i] {
			ids = append(ids, id)
		}
	}
	return ids
}
