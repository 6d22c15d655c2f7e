package daemon

import (
	"errors"

	"ciderd/internal/storage"
)

// The exit codes of a node that ended for an error. The second is EX_DATAERR of sysexits.h.
const (
	exitFailed    = 1
	exitForPerson = 65
)

// ExitCode is the code for an error that ended a node, or kept it from starting: a data directory that
// needs a person has one of its own, so that what supervises the node does not start it for nothing.
func ExitCode(err error) int {
	if errors.Is(err, storage.ErrForPerson) {
		return exitForPerson
	}
	return exitFailed
}
