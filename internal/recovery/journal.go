package recovery

import (
	"errors"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/storage"
)

// FlushJournal makes the directory of a stopped node, which may have been killed, one that releases without a journal can
// open. It reports whether there was a journal, and how many entries only that had. The files keep their owner.
func FlushJournal(dir string, log hclog.Logger) (there bool, entries int, err error) {
	flushed, err := storage.FlushJournal(dir, log)
	return flushed.Journal, flushed.Entries, errors.Join(err, storage.GiveToOwner(dir))
}
