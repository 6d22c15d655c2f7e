package daemon

import (
	"errors"

	"ciderd/internal/storage"
)

// The exit codes of a node that ended with an error. The second is EX_DATAERR of sysexits.h, the third EX_CONFIG.
const (
	exitFailed    = 1
	exitForPerson = 65
	exitConfig    = 78
)

// ExitCode returns the exit code for an error that ended a node, or kept it from starting. A data directory that
// needs an operator has its own, and so have certificates that do not work, so that a supervisor does not restart the node in vain.
func ExitCode(err error) int {
	if errors.Is(err, storage.ErrForPerson) {
		return exitForPerson
	}
	if _, ok := errors.AsType[errCertificates](err); ok {
		return exitConfig
	}
	return exitFailed
}
