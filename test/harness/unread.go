package harness

import (
	"bytes"
	"errors"
	"os"
	"time"
)

// Unread is the reading end of a node's output that is a pipe: nobody reads, and the pipe is full from the
// start, until a test does.
type Unread struct {
	*os.File
}

// StartUnread is Start with an output that nobody reads. Its log has nothing of this run.
func (n *Node) StartUnread() Unread {
	n.t.Helper()
	r, w, err := FullPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	n.start(w)
	touch, err := os.OpenFile(n.LogPath, os.O_CREATE, 0o666) // there is one to be looked at
	if err = errors.Join(err, touch.Close(), w.Close()); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = r.Close() })
	return Unread{r}
}

// FullPipe is a pipe without room.
func FullPipe() (r, w *os.File, err error) {
	if r, w, err = os.Pipe(); err != nil {
		return nil, nil, err
	}
	if err = fillPipe(w); err != nil {
		return nil, nil, errors.Join(err, r.Close(), w.Close())
	}
	return r, w, nil
}

// fillPipe writes until there is no room.
func fillPipe(w *os.File) error {
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		return err
	}
	for filler := bytes.Repeat([]byte("#"), 1<<10); ; {
		_, err := w.Write(filler)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
