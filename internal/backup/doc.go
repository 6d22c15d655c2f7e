// Package backup owns what is done with a backup on a node: a copy of the state goes out to a stream, and a file comes
// back in through the log.
//
// It promises that a user who has been restored is what the file says, that a restore which does not fit or would replace
// what is here unasked changes nothing, and that memory is bounded whatever the size of the file. It never takes the place
// of a snapshot: it puts back users, and nothing of what the log knows of its nodes.
package backup

import (
	"fmt"

	"ciderd/internal/fsm"
)

// Config is what this package needs of a node. The functions may be called from any goroutine.
type Config struct {
	State *fsm.FSM
	// Now is the cluster's time, in Unix milliseconds.
	Now func() int64
	// Propose hands a group to the write path. The function that it returns blocks until the group is done.
	Propose func(fsm.Group) (wait func() ([]fsm.Result, error))
	Release string // that runs
}

// Options say what of a file is restored, and how.
type Options struct {
	User    string // this one only; empty: all
	Replace bool   // also those that have items here
	Partial bool   // also if not all of it fits: what does not is left out, and reserves are cut
}

// Refusal says why nothing was done, or nothing more; what had been restored stays.
type Refusal struct{ Text string }

func (r Refusal) Error() string { return r.Text }

func refused(format string, args ...any) error { return Refusal{fmt.Sprintf(format, args...)} }
