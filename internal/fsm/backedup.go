package fsm

// Backup is when a backup was made, and where. It is never changed once it is in the state.
type Backup struct {
	Node string
	At   int64 // the log's time that it holds everything up to, in Unix milliseconds
}

// backedUp notes the last backup. One that is no newer than the one that is known changes nothing: KindExists.
func (s *state) backedUp(c *Command) Result {
	last := s.backup.Load()
	switch {
	case c.At <= 0 || c.At > s.time || len(c.Name) == 0:
		return Result{Kind: KindNone}
	case last != nil && c.At <= last.At:
		return Result{Kind: KindExists}
	}
	s.backup.Store(&Backup{Node: string(c.Name), At: c.At})
	return Result{Kind: KindOK}
}

// hash is 0 while there has been none, so that such a state hashes as it always did.
func (b *Backup) hash() uint64 {
	if b == nil {
		return 0
	}
	return hashOf([]byte("backup"+b.Node), uint64(b.At))
}
