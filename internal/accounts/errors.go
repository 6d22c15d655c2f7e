package accounts

import (
	"errors"
	"fmt"

	"ciderd/internal/auth"
	"ciderd/internal/fsm"
)

// What auth says about a name or a password, or why it did not look.
var (
	ErrBadUsername   = auth.ErrBadUsername
	ErrBadPassword   = auth.ErrBadPassword
	ErrUnfitPassword = auth.ErrUnfitPassword
	ErrWrongPassword = auth.ErrMismatch // or an unknown user
	ErrBusy          = auth.ErrBusy
)

var (
	// ErrLoading is returned while this node is catching up: it does not know all users yet. Nothing was done.
	ErrLoading = errors.New("this node is catching up")
	// ErrRestoring is returned for a login of a user that is being restored. It is an ErrLoading. Nothing was done.
	ErrRestoring = fmt.Errorf("%w: the user is being restored from a backup", ErrLoading)
	// ErrClosed is returned to clients where only operators add users. Nothing was done.
	ErrClosed = errors.New("sign-up is closed")
	// ErrGone is returned for an account that is there no more, or is not the same one.
	ErrGone = errors.New("the account is gone")
	// ErrUnread is returned while not every server of the cluster reads the operation. Nothing was done.
	ErrUnread = errors.New("not every node of the cluster knows this yet")
)

// Refusal is returned when the cluster has refused a change, with the reason. Nothing was done, unless
// the kind is fsm.KindNone: then it is not known.
type Refusal struct{ Kind fsm.Kind }

func (r Refusal) Error() string { return fmt.Sprintf("refused: result %d", r.Kind) }

// ReservedError is returned for a quota or a reserve that does not go with the other, or with the limit: a reserve takes
// at most 15/16 of its user's quota, and all reserves together at most 7/16 of the limit. Nothing was done.
type ReservedError struct {
	Most int64 // what the reserve may take, in bytes
}

func (e *ReservedError) Error() string {
	return fmt.Sprintf("the reserve may take %d bytes at most", e.Most)
}

// WriteError is returned when a change has no result. Err is one of pipeline's, which tells whether it
// may have been made.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *WriteError) Unwrap() error { return e.Err }
