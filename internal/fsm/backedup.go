package fsm

// Backup is when a backup was made, and where. It is never changed once it is in the state.
type Backup struct {
	Node string
	At   int64 // the cluster's time of it, in Unix milliseconds
}

// backedUp notes the last backup, of the log's time at the latest: a node whose clock is ahead must not stand in the way of
// the next ones. One that is no newer than the one that is known changes nothing: KindExists.
func (s *state) backedUp(c *Command) Result {
	last, at := s.backup.Load(), min(c.At, s.time)
	switch {
	case at <= 0 || len(c.Name) == 0:
		return Result{Kind: KindNone}
	case last != nil && at <= last.At:
		return Result{Kind: KindExists}
	}
	s.backup.Store(&Backup{Node: string(c.Name), At: at})
	return Result{Kind: KindOK}
}

// hash is 0 while there has been none, so that such a state hashes as it always did.
func (b *Backup) hash() uint64 {
	if b == nil {
		return 0
	}
	return hashOf([]byte("backup"+b.Node), uint64(b.At))
}
