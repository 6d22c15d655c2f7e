package backup

import (
	"context"
	"fmt"
	"io"

	"ciderd/internal/backup/archive"
	"ciderd/internal/fsm"
)

// Done is what a restore has done, also of one that has ended with an error.
type Done struct {
	archive.Totals
	Expired    int64  // items that were left out, as their deadline has passed
	Incomplete string // the user whose turn it was, if it was left in the middle
	Skipped    int64  // items and ids that did not fit, of a partial restore
}

// Restore puts the users of a file back, one after the other, until ctx ends. The file must have passed Check. What the
// log refuses is a Refusal: a user that has got items meanwhile, what does not fit any more. With any error, one user may
// be left that is not complete: nobody can log in as that user until a restore has come to its end, which may be run
// again at once.
func (c Config) Restore(ctx context.Context, file io.Reader, o Options) (Done, error) {
	r := restoring{config: c, options: o, send: sender{ctx: ctx, propose: c.Propose, partial: o.Partial}}
	_, _, err := archive.Read(file, c.Release, archive.Visitor{Head: r.head, User: r.user, Reply: r.reply, Item: r.item})
	if err == nil {
		err = r.endUser()
	}
	skipped := r.send.skipped
	r.done.Items -= skipped.Items
	r.done.Replies -= skipped.Replies
	r.done.Bytes -= skipped.Bytes
	r.done.Skipped = skipped.Items + skipped.Replies
	if err != nil && r.id != 0 {
		r.done.Incomplete = r.name
	}
	return r.done, err
}

// restoring is one restore.
type restoring struct {
	config  Config
	options Options
	send    sender
	name    string // of the user whose turn it is
	id      uint64 // of it; 0: nobody's turn it is
	done    Done
}

func (r *restoring) head(h archive.Head) error { return readable(h, r.config.Release) }

func (r *restoring) user(u archive.User) error {
	if err := r.endUser(); err != nil {
		return err
	}
	if name := string(u.Name); r.options.User == "" || r.options.User == name {
		r.name = name
		return r.begin(u)
	}
	return nil
}

// begin ends the sessions of a user, and makes the account that is filled.
func (r *restoring) begin(u archive.User) error {
	c := fsm.Command{Op: fsm.OpRestore, Name: u.Name, Value: u.Hash, N: u.Quota, Limit: u.Reserve, Version: u.Version}
	if u.Locked {
		c.Flags |= fsm.FlagLocked
	}
	if r.options.Replace {
		c.Flags |= fsm.FlagReplace
	}
	result, err := r.send.one(c)
	if err == nil && result.Kind == fsm.KindReserved && r.options.Partial {
		c.Limit = result.N
		result, err = r.send.one(c)
	}
	switch {
	case err != nil: // it may have begun all the same
		r.done.Incomplete = r.name
		return r.failed(err)
	case result.Kind != fsm.KindUser:
		return r.failed(why(result.Kind))
	}
	r.id = uint64(result.N)
	return nil
}

func (r *restoring) reply(reply archive.Reply) error {
	if r.id == 0 {
		return nil
	}
	r.done.Replies++
	return r.failed(r.send.add(&fsm.Command{
		Op: fsm.OpRestoreOnce, User: r.id, Arg: reply.ID, At: reply.At, Limit: int64(reply.Kind), N: reply.N,
	}, archive.Totals{Replies: 1}))
}

func (r *restoring) item(i archive.Item) error {
	switch {
	case r.id == 0:
		return nil
	case i.Deadline != 0 && i.Deadline <= r.config.Now():
		r.done.Expired++
		return nil
	}
	brings := archive.Totals{Items: 1, Bytes: int64(len(i.Key) + len(i.Value))}
	r.done.Items++
	r.done.Bytes += brings.Bytes
	return r.failed(r.send.add(&fsm.Command{Op: fsm.OpStore, User: r.id, Key: i.Key, Value: i.Value, At: i.Deadline}, brings))
}

// endUser lets the user in, once all that is its has been applied.
func (r *restoring) endUser() error {
	if r.id == 0 {
		return nil
	}
	if err := r.send.flush(); err != nil {
		return r.failed(err)
	}
	result, err := r.send.one(fsm.Command{Op: fsm.OpRestored, User: r.id})
	switch {
	case err != nil:
		return r.failed(err)
	case result.Kind != fsm.KindOK && result.Kind != fsm.KindExists:
		return r.failed(why(result.Kind))
	}
	r.id = 0
	r.done.Users++
	return nil
}

// failed says of whom an error is.
func (r *restoring) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("user %s: %w", r.name, err)
}

var errUnread = refused("not every node of the cluster knows backups yet: upgrade all of them first")

// why says why the log has not taken something.
func why(k fsm.Kind) error {
	switch k {
	case fsm.KindUserExists:
		return refused("there are items here, which would be replaced")
	case fsm.KindSessionEnded:
		return refused("the user has been removed, or another restore has begun")
	case fsm.KindReserved:
		return refused("the reserve does not fit")
	case fsm.KindQuota:
		return refused("it does not fit into the quota")
	case fsm.KindAtLimit:
		return refused("it does not fit into the limit on memory")
	case fsm.KindMemoryFull:
		return refused("the disks of the cluster are nearly full")
	case fsm.KindUnread:
		return errUnread
	}
	return fmt.Errorf("it was not taken: result %d", k)
}
