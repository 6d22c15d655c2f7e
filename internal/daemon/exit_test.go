package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/storage"
)

// A data directory that needs a person has an exit code of its own, wherever in an error that is said.
func TestExitCode(t *testing.T) {
	for err, want := range map[error]int{
		errors.New("port taken"): 1,
		fmt.Errorf("x: %w", errors.Join(storage.ErrDamaged, os.ErrClosed)): 65,
		fmt.Errorf("%w (n1 is)", storage.ForPerson("removed")):             65,
		fmt.Errorf("%v", storage.ErrDamaged):                               1,
	} {
		if got := ExitCode(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "raft.db"), make([]byte, 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Open(dir, hclog.NewNullLogger(), nil); ExitCode(err) != 65 {
		t.Errorf("a file of zeros: %v", err)
	}
}

// What is damaged or not this node's any more is also found while it runs.
func TestFatalExitCodes(t *testing.T) {
	for err, want := range map[error]int{errors.New("the disk failed"): 1, fmt.Errorf("entry 7 of the log: %w", storage.ErrDamaged): 65} {
		l := logsTo(&reader{})
		ended := make(chan int, 1)
		d := &Daemon{log: l.Main, logs: l, exit: func(code int) { ended <- code }}
		d.fatal(err)
		if got := <-ended; got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}
