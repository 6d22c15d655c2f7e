package recovery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/storage"
)

// Result is what Run did.
type Result struct {
	*Plan
	Copy string // of the directory as it was
	Now  string // the server id from now on
}

// Run recovers: it copies the directory to a new one beside it, makes this one a new server (so that
// old servers that come back can neither count it nor be counted by it), and makes that the only
// one of its configuration. Everything in the log counts as committed from then on. It refuses while the
// quorum is not lost.
//
// Whenever it is broken off, the directory is what it was, or a recovered one, or one that no node
// starts on and that another Run finishes: see Steps.
func (r *Survivor) Run(ctx context.Context) (*Result, error) {
	// Looked at first without a change: opening is one (it counts a start).
	p, err := r.Plan(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.refusal(); err != nil {
		return nil, err
	}
	diskFailed := make(chan error, 1)
	st, err := storage.Open(r.DataDir, r.Log, func(err error) {
		select {
		case diskFailed <- err:
		default:
		}
	})
	if err != nil {
		return nil, err
	}
	done := &Result{Plan: p}
	for _, step := range r.Steps(st, done) {
		if err = step(); err != nil {
			break
		}
	}
	err = errors.Join(err, st.Close())
	select {
	case failed := <-diskFailed:
		err = errors.Join(err, failed)
	default:
	}
	return done, errors.Join(err, storage.GiveToOwner(r.DataDir))
}

// refusal is why it must not be recovered; nil: it may.
func (p *Plan) refusal() error {
	switch {
	case p.QuorumLost():
		return nil
	case p.BrokenOff != "":
		return fmt.Errorf("the quorum is not lost: %v are there, and go on without this node; "+
			"recovering it was begun and broken off: put %s back in the place of %s, or remove that to let this node join as a new one",
			p.Answering, p.BrokenOff, p.DataDir)
	}
	return fmt.Errorf("the quorum is not lost: with this node, %d of the %d voters are there; start it instead",
		len(p.Answering)+1, len(p.Voters))
}

// Steps is what Run does, in the order that makes any end between two of them, and within one, a safe one. From the
// second to the last a node refuses to start on the directory. The mark, on whose word servers of before
// the recovery end, is stored when all else is: until then nobody can have seen it.
func (r *Survivor) Steps(st *storage.Storage, done *Result) []func() error {
	return []func() error{
		func() error { return r.keepCopy(done) },
		func() error { return r.begin(st, done) },
		st.NewShortID,
		st.ForgetTerm,
		func() error {
			done.Now = r.Node + "/" + st.ShortID
			return r.rewrite(st, done.Now)
		},
		func() error { return r.mark(st) },
		func() error { return st.SetRecovering(nil) },
	}
}

// keepCopy copies the directory as it was, and never as a recovery that was broken off has left it. A copy
// that is not there any more was taken away by somebody, to have room for the rest perhaps.
func (r *Survivor) keepCopy(done *Result) (err error) {
	if done.BrokenOff != "" {
		if _, err := os.Stat(done.BrokenOff); err == nil {
			done.Copy = done.BrokenOff
		}
		return nil
	}
	done.Copy, err = storage.CopyAside(r.DataDir, "before-recover-"+time.Now().UTC().Format("20060102-150405"))
	if err != nil {
		return fmt.Errorf("copying the data directory; nothing was changed: %w", err)
	}
	return nil
}

// begin makes the directory one that is being recovered.
func (r *Survivor) begin(st *storage.Storage, done *Result) error {
	if done.begun != nil {
		return nil
	}
	err := st.SetRecovering(&storage.Recovering{
		Copy: filepath.Base(done.Copy), ServerID: done.ServerID, Servers: done.servers,
	})
	if err != nil {
		return fmt.Errorf("beginning; nothing was changed: %w", err)
	}
	return nil
}

// mark makes the directory's cluster another one than it was, later than the one before also if this
// machine's clock is not.
func (r *Survivor) mark(st *storage.Storage) error {
	before, err := st.Recovered()
	if err != nil {
		return err
	}
	return st.SetRecovered(max(time.Now().UnixMilli(), before+1))
}

// rewrite makes id the only server.
func (r *Survivor) rewrite(st *storage.Storage, id string) error {
	c := raft.DefaultConfig()
	c.LocalID, c.NoLegacyTelemetry, c.Logger = raft.ServerID(id), true, r.Log
	var failed error
	state := fsm.New(id, fsm.Hooks{Fatal: func(err error) { failed = err }})
	_, transport := raft.NewInmemTransport(raft.ServerAddress(id)) // only encodes addresses
	defer transport.Close()
	alone := raft.Configuration{Servers: []raft.Server{
		{Suffrage: raft.Voter, ID: raft.ServerID(id), Address: raft.ServerAddress(id)},
	}}
	err := raft.RecoverCluster(c, state, st.Logs, st.Stable, st.Snapshots, transport, alone)
	return errors.Join(err, failed)
}
