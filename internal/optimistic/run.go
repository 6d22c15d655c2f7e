package optimistic

import (
	"errors"
	"fmt"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
)

// Tries is how often something is run before it is given up.
const Tries = 8

var (
	// ErrConflict: other clients have changed what was read in each of the tries. Nothing was done.
	ErrConflict = errors.New("what it reads is changed too often")
	// ErrGone: the account is gone. Nothing was done.
	ErrGone = errors.New("the account is gone")
)

// Refused is why the cluster has refused a transaction. Nothing was done.
type Refused struct{ Kind fsm.Kind }

func (e *Refused) Error() string { return fmt.Sprintf("refused: result %d", e.Kind) }

// Runner runs something for one user.
type Runner struct {
	User uint64
	// Keyspace returns the user's cache on this node; nil: the account is gone.
	Keyspace func() *cache.Keyspace
	// Now is the time for reads, in Unix milliseconds.
	Now func() int64
	// Propose puts a command into the log and returns its result once this node has applied it.
	Propose func(c fsm.Command) (fsm.Result, error)
}

// Run calls try with one Attempt after the other until what it has done is done in the cluster, or try returns an error
// that another try would not change. Whatever try has made of the last Attempt holds then: a reply for instance. Its error
// is try's, ErrConflict, ErrGone, a *Refused, or one of Propose.
//
// A try that is refused has been so by an entry that this node has applied, so the next one sees what was in its way.
func (r *Runner) Run(try func(*Attempt) error) error {
	for range Tries {
		ks := r.Keyspace()
		if ks == nil {
			return ErrGone
		}
		a := newAttempt(ks, r.Now())
		err := try(a)
		if errors.Is(err, ErrStale) {
			continue
		}
		if err != nil && a.holds() { // else it may have come of what never was there at one time
			return err
		}
		if err != nil {
			continue
		}
		if done, err := r.commit(a); done || err != nil {
			return err
		}
	}
	return ErrConflict
}

// commit reports whether the conditions of a try held.
func (r *Runner) commit(a *Attempt) (done bool, err error) {
	if len(a.written) == 0 {
		return a.holds(), nil
	}
	result, err := r.Propose(a.command(r.User))
	switch {
	case err != nil:
		return false, err
	case result.Kind == fsm.KindNil:
		return false, nil
	case result.Kind == fsm.KindSessionEnded:
		return false, ErrGone
	case result.Kind != fsm.KindExec:
		return false, &Refused{result.Kind}
	}
	return true, nil
}
