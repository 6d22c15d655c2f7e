package daemon

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// queueBytes and queueLines are how much of the log may wait for its reader.
	queueBytes = 1 << 20
	queueLines = 1 << 14
	// queueErrors is the additional space for errors: the last of them says why a node ends.
	queueErrors = 64 << 10
)

// queue brings the log's lines to standard error. No goroutine that logs waits for the reader: the reader may have
// stopped (a paused terminal, a journal that hangs), and those who log hold locks, lead, or end the process. A line
// that finds no space is dropped and counted, and the count is logged when there is space again.
type queue struct {
	out    io.Writer
	notice func(dropped int) []byte // a line that says so
	recent recent                   // what was logged last, read or not

	mu      sync.Mutex // all below
	filled  sync.Cond  // there is a line
	lines   []queued
	bytes   int // of lines
	dropped int // since the last notice
	ended   bool
	idle    chan struct{} // closed while nothing is queued
}

// queued is a line, and how many log calls it stands for.
type queued struct {
	text   []byte
	stands int
}

func newQueue(out io.Writer, notice func(dropped int) []byte) *queue {
	q := &queue{out: out, notice: notice, idle: make(chan struct{})}
	q.filled.L = &q.mu
	close(q.idle)
	go q.run()
	return q
}

// Write queues a line. It never blocks, and never fails.
func (q *queue) Write(line []byte) (int, error) { return q.LevelWrite(hclog.Info, line) }

// LevelWrite is called by hclog instead of Write.
func (q *queue) LevelWrite(level hclog.Level, line []byte) (int, error) {
	q.recent.add(line)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ended:
	case q.hasSpace(len(line), level):
		if q.dropped > 0 {
			q.push(q.notice(q.dropped), q.dropped)
			q.dropped = 0
		}
		q.push(bytes.Clone(line), 1)
	default:
		q.dropped++
	}
	return len(line), nil
}

// hasSpace reports whether one more line may wait. Once lines have been dropped, half of the queue must be written
// before more are accepted, or each of them would have its own notice.
func (q *queue) hasSpace(size int, level hclog.Level) bool {
	switch {
	case level >= hclog.Error:
		return q.bytes+size <= queueBytes+queueErrors
	case q.dropped > 0:
		return q.bytes+size <= queueBytes/2 && len(q.lines) < queueLines/2
	}
	return q.bytes+size <= queueBytes && len(q.lines) < queueLines
}

func (q *queue) push(text []byte, stands int) {
	if len(q.lines) == 0 {
		q.idle = make(chan struct{})
	}
	q.lines = append(q.lines, queued{text, stands})
	q.bytes += len(text)
	q.filled.Signal()
}

// run writes, line by line, until the queue has ended and is empty. If the reader has stopped reading, it may block
// for the life of the process.
func (q *queue) run() {
	for line, more := q.first(); more; line, more = q.first() {
		_, err := q.out.Write(line.text)
		q.wrote(err)
	}
}

func (q *queue) first() (line queued, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.lines) == 0 {
		if q.ended {
			return queued{}, false
		}
		q.filled.Wait()
	}
	return q.lines[0], true
}

// wrote removes the first line. One that could not be written (the reader is gone, or a disk is full) counts as
// dropped, which is logged with the next line that can be written.
func (q *queue) wrote(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.lines[0]
	q.lines[0] = queued{}
	q.lines, q.bytes = q.lines[1:], q.bytes-len(line.text)
	if err != nil {
		q.dropped += line.stands
	}
	if len(q.lines) > 0 {
		return
	}
	close(q.idle)
	if err == nil && q.dropped > 0 && !q.ended {
		q.push(q.notice(q.dropped), q.dropped)
		q.dropped = 0
	}
}

// end has the queue accept no more lines.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.filled.Signal()
}

// flush returns once what is queued has been written, or after limit.
func (q *queue) flush(limit time.Duration) {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
	case <-time.After(limit):
	}
}
