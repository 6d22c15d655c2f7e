package accounts

import "ciderd/internal/fsm"

// SetQuota gives the user a quota of its own, in bytes; 0 takes it away. It is for operators, and holds on every node.
// Errors: ErrLoading, ErrGone (there is no such user), ErrUnread, a *ReservedError, a Refusal, a *WriteError.
func (a *Accounts) SetQuota(name string, bytes int64) error { return a.share(fsm.OpQuota, name, bytes) }

// SetReserve reserves memory for the user, in bytes; 0: none. Else it is as SetQuota.
func (a *Accounts) SetReserve(name string, bytes int64) error {
	return a.share(fsm.OpReserve, name, bytes)
}

func (a *Accounts) share(op fsm.Op, name string, bytes int64) error {
	user, err := a.named(name)
	switch {
	case err != nil:
		return err
	case !a.node.Reads(op.Since()):
		return ErrUnread
	}
	r, err := a.write(fsm.Command{Op: op, User: user.ID, N: bytes})
	if err != nil {
		return err
	}
	switch r.Kind {
	case fsm.KindOK:
		return nil
	case fsm.KindSessionEnded:
		return ErrGone
	case fsm.KindUnread:
		return ErrUnread
	case fsm.KindReserved:
		return &ReservedError{r.N}
	}
	return Refusal{r.Kind}
}
