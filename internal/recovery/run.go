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

// Run recovers: it copies the directory to a new one next to it, makes this one a new server (so that old servers
// that come back can neither count it nor be counted by it), and makes that the only one of its configuration.
// Everything in the log counts as committed from then on. It refuses while the
// quorum is not lost.
//
// If it is interrupted, the directory is what it was, or a recovered one, or one that no node starts on and that
// another Run finishes: see Steps.
func (r *Survivor) Run(ctx context.Context) (*Result, error) {
	// The plan comes first, as opening the directory changes it (it counts a start).
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

// refusal returns why the directory must not be recovered; nil: it may.
func (p *Plan) refusal() error {
	switch {
	case p.QuorumLost():
		return nil
	case p.BrokenOff != "":
		return fmt.Errorf("the quorum is not lost: %v answer, and go on without this node; "+
			"recovering it was begun and broken off: put %s back in the place of %s, or remove that to let this node join as a new one",
			p.Answering, p.BrokenOff, p.DataDir)
	}
	return fmt.Errorf("the quorum is not lost: with this node, %d of the %d voters answer; start it instead",
		len(p.Answering)+1, len(p.Voters))
}

// Steps returns what Run does, in an order that makes it safe to stop between two of them, or within one. From the
// second to the last a node refuses to start on the directory. The mark that ends servers from before the recovery
// is stored last: until then no server can have seen it.
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
		func() error { return st.Notes().SetRecovering(nil) },
	}
}

// keepCopy copies the directory as it was, never as an interrupted recovery has left it. If an earlier copy is
// missing, someone removed it, perhaps to make space.
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

// begin marks the directory as being recovered.
func (r *Survivor) begin(st *storage.Storage, done *Result) error {
	if done.begun != nil {
		return nil
	}
	err := st.Notes().SetRecovering(&storage.Recovering{
		Copy: filepath.Base(done.Copy), ServerID: done.ServerID, Servers: done.servers,
	})
	if err != nil {
		return fmt.Errorf("beginning; nothing was changed: %w", err)
	}
	return nil
}

// mark gives the directory's cluster a new recovery time, later than the previous one even if this machine's clock
// is not.
func (r *Survivor) mark(st *storage.Storage) error {
	before, err := st.Notes().Recovered()
	if err != nil {
		return err
	}
	return st.Notes().SetRecovered(max(time.Now().UnixMilli(), before+1))
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
