package backup

import (
	"context"
	"io"

	"ciderd/internal/backup/archive"
	"ciderd/internal/fsm"
)

// Note has the cluster remember that a backup of the time at, in Unix milliseconds of the cluster's clock, was made on
// node. A later one that it remembers stays. The error is one of the write path, or a Refusal: not every node knows
// backups.
func (c Config) Note(node string, at int64) error {
	results, err := c.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpBackedUp, Name: []byte(node), At: at}))()
	if err != nil {
		return err
	}
	for _, r := range results {
		switch r.Kind {
		case fsm.KindOK, fsm.KindExists:
		case fsm.KindUnread:
			return errUnread
		default:
			return why(r.Kind)
		}
	}
	return nil
}

// Save copies the state and writes the copy to w until ctx ends. Of h it takes who writes: Release, Cluster and Node. The
// error is one of fsm.CopyOf, of w, or the cause of ctx's end. Without an error the backup is whole.
func (c Config) Save(ctx context.Context, w io.Writer, h archive.Head) (archive.Totals, error) {
	copied, err := fsm.CopyOf(c.State)
	if err != nil {
		return archive.Totals{}, err
	}
	copied.Time = max(copied.Time, c.Now())
	h.Time, h.Entries = copied.Time, copied.Entries
	out, err := archive.NewWriter(w, h)
	if err != nil {
		return archive.Totals{}, err
	}
	err = copied.Drain(func(u fsm.CopiedUser) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return saveUser(out, u)
	}, func(i fsm.CopiedItem) error {
		return out.Item(&archive.Item{Key: i.Key, Value: i.Value, Deadline: i.Deadline})
	})
	if err != nil {
		return archive.Totals{}, err
	}
	return out.Close()
}

func saveUser(out *archive.Writer, u fsm.CopiedUser) error {
	err := out.User(&archive.User{
		Name: u.Name, Hash: u.Hash, Locked: u.Locked, Quota: u.Quota, Reserve: u.Reserve, Version: u.Version,
	})
	for _, r := range u.Replies {
		if err != nil {
			return err
		}
		err = out.Reply(&archive.Reply{ID: []byte(r.ID), At: r.At, Kind: uint8(r.Kind), N: r.N})
	}
	return err
}
