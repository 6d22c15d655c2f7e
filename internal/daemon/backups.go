package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/admin/api"
	"ciderd/internal/backup"
	"ciderd/internal/backup/archive"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
)

// operatedBackups is backups as the admin socket needs them.
type operatedBackups struct {
	node    backupNode
	backup  backup.Config
	cluster string
	name    string // of this node
	// within is how long something may take that takes so long if there is a leader: without one hardly at all.
	within func(time.Duration) time.Duration
}

// backupNode is what backups need of a node beside its state.
type backupNode interface {
	Ready() bool
	Reads(version int) bool
	Sync(ctx context.Context) error
}

func newOperatedBackups(d *Daemon) operatedBackups {
	node := sessionsNode{Node: d.node}
	within := patience(func() bool { return d.node.Status().Leader != "" })
	timeout := func() time.Duration { // it may change by a reload
		d.runtime.Lock()
		defer d.runtime.Unlock()
		return within(d.config.Timeouts.Write)
	}
	return operatedBackups{
		node: node, cluster: d.config.ClusterName, name: d.config.NodeName, within: within,
		backup: backup.Config{
			State: d.node.FSM(), Now: d.node.Clock().Now, Release: d.version,
			Propose: func(g fsm.Group) func() ([]fsm.Result, error) { return node.Propose(g, timeout()).Wait },
		},
	}
}

// patience shortens a limit while no leader is known.
func patience(led func() bool) func(limit time.Duration) time.Duration {
	return func(limit time.Duration) time.Duration {
		if led() {
			return limit
		}
		return min(limit, leaderlessFor)
	}
}

var errOlder = fmt.Errorf("%w: not every node of the cluster knows backups yet: upgrade all of them first", api.ErrRefused)

const (
	// syncFor is how long a backup waits for what other nodes have acknowledged. Without a leader it is of what is here.
	syncFor = 3 * time.Second
	// leaderlessFor is how long a leader is waited for when none is known: as long as most elections take.
	leaderlessFor = time.Second
)

// Save writes a backup of all that this node has applied.
func (b operatedBackups) Save(ctx context.Context, w io.Writer, begin func()) error {
	if !b.node.Ready() {
		return fmt.Errorf("%w: %w; try again, or on another node", api.ErrRefused, accounts.ErrLoading)
	}
	soon, cancel := context.WithTimeout(ctx, b.within(syncFor))
	_ = b.node.Sync(soon)
	cancel()
	_, err := b.backup.Save(ctx, &begins{w: w, begin: begin}, archive.Head{Release: b.backup.Release, Cluster: b.cluster, Node: b.name})
	if errors.Is(err, fsm.ErrRestoring) {
		return fmt.Errorf("%w: %w; a restore that was broken off has to be run again, or the user removed", api.ErrRefused, err)
	}
	return err
}

// begins calls begin before anything is written.
type begins struct {
	w     io.Writer
	begin func()
}

func (b *begins) Write(p []byte) (int, error) {
	if b.begin != nil {
		b.begin()
		b.begin = nil
	}
	return b.w.Write(p)
}

// Note has the cluster remember a backup of this node.
func (b operatedBackups) Note(at int64) (said string, err error) {
	if !b.node.Reads(fsm.OpBackedUp.Since()) {
		return "", errOlder
	}
	err = b.backup.Note(b.name, at)
	var refusal backup.Refusal
	switch {
	case errors.As(err, &refusal):
		return "", fmt.Errorf("%w: %w", api.ErrRefused, err)
	case err != nil:
		return "", unwritten(&accounts.WriteError{Err: err}, "the backup was", "noted")
	}
	return "the cluster knows of the backup", nil
}

// Restore puts a file back, or says what that would do.
func (b operatedBackups) Restore(ctx context.Context, q api.RestoreRequest, file io.Reader) (api.Restored, error) {
	if err := b.restorable(ctx); err != nil {
		return api.Restored{}, err
	}
	o := backup.Options{User: q.User, Replace: q.Replace, Partial: q.Partial}
	if !q.Check {
		done, err := b.backup.Restore(ctx, file, o)
		return api.Restored{
			Cluster: b.cluster, Expired: done.Expired, Skipped: done.Skipped,
			Contents: api.Contents{Users: done.Users, Items: done.Items, Replies: done.Replies, Bytes: done.Bytes},
		}, partly(err, done)
	}
	plan, err := b.backup.Check(file, o)
	if err != nil {
		return api.Restored{}, fmt.Errorf("%w: %w; nothing was done", api.ErrRefused, err)
	}
	return api.Restored{
		Cluster: b.cluster, Expired: plan.Expired, Replaces: len(plan.Replaced), Misfits: firstOf(plan.Misfits),
		Contents: api.Contents{
			Cluster: plan.Head.Cluster, Node: plan.Head.Node, Release: plan.Head.Release, Time: plan.Head.Time,
			Users: plan.Totals.Users, Items: plan.Totals.Items, Replies: plan.Totals.Replies, Bytes: plan.Totals.Bytes,
		},
	}, nil
}

// restorable says why nothing can be restored at present. What is here is then all that anybody was told OK for.
func (b operatedBackups) restorable(ctx context.Context) error {
	if !b.node.Ready() {
		return fmt.Errorf("%w: %w; try again, or on another node", api.ErrRefused, accounts.ErrLoading)
	}
	if !b.node.Reads(fsm.OpRestore.Since()) {
		return errOlder
	}
	soon, cancel := context.WithTimeout(ctx, b.within(syncFor))
	defer cancel()
	switch err := b.node.Sync(soon); {
	case errors.Is(err, cluster.ErrNoLeader):
		return fmt.Errorf("%w answers; nothing was done", api.ErrNoLeader)
	case err != nil:
		return fmt.Errorf("%w: this node has not caught up: %w; nothing was done", api.ErrRefused, err)
	}
	return nil
}

// partly says what there is after a restore that has failed.
func partly(err error, done backup.Done) error {
	switch {
	case err == nil:
		return nil
	case done.Incomplete != "":
		return fmt.Errorf("%w; %d users are restored, and %s cannot log in until the restore has been run again, with -replace",
			err, done.Users, done.Incomplete)
	}
	return fmt.Errorf("%w; %d users are restored, and the others are as they were", err, done.Users)
}

// mostMisfits bounds an answer.
const mostMisfits = 20

func firstOf(list []string) []string { return list[:min(len(list), mostMisfits)] }
