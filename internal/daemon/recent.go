package daemon

import (
	"bytes"
	"sync"
)

const (
	// recentLines and recentBytes are how much of the log is kept for the archive for a ticket.
	recentLines = 1000
	recentBytes = 1 << 20
)

// recent keeps the last lines of the log. All methods may be called from any goroutine.
type recent struct {
	mu    sync.Mutex // all below
	lines [][]byte   // the oldest first
	bytes int        // of lines
}

// add keeps a copy of a line.
func (r *recent) add(line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line = bytes.Clone(line[:min(len(line), recentBytes)])
	r.lines, r.bytes = append(r.lines, line), r.bytes+len(line)
	for len(r.lines) > recentLines || r.bytes > recentBytes {
		r.bytes -= len(r.lines[0])
		r.lines[0] = nil
		r.lines = r.lines[1:]
	}
}

// text returns them all.
func (r *recent) text() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Join(r.lines, nil)
}
