package daemon

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// queueBytes and queueLines are how much of the log waits for its reader at most.
	queueBytes = 1 << 20
	queueLines = 1 << 14
	// queueErrors is the room beyond that for errors: the last of them says why a node ends.
	queueErrors = 64 << 10
)

// queue is the way of the log's lines to whoever reads them. Nobody who logs waits for that reader: it may
// have stopped reading (a paused terminal, a journal that hangs), and those who log hold locks, lead, or end
// the process. What finds no room is dropped and counted, which is said when there is room again.
type queue struct {
	out    io.Writer
	notice func(dropped int) []byte // a line that says so

	mu      sync.Mutex // all below
	filled  sync.Cond  // there is a line
	lines   []queued
	bytes   int // of lines
	dropped int // since the last notice
	ended   bool
	idle    chan struct{} // closed while nothing is queued
}

// queued is a line, and how many it stands for.
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

// LevelWrite is what hclog calls in the place of Write.
func (q *queue) LevelWrite(level hclog.Level, line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ended:
	case q.hasRoom(len(line), level):
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

// hasRoom tells whether one line more may wait. Once lines have been dropped, half of the queue has to be
// written before others are taken, or each of them would have a notice of its own.
func (q *queue) hasRoom(size int, level hclog.Level) bool {
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

// run writes, line by line, for as long as the process lives.
func (q *queue) run() {
	for {
		_, err := q.out.Write(q.first().text)
		q.wrote(err)
	}
}

func (q *queue) first() queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.lines) == 0 {
		q.filled.Wait()
	}
	return q.lines[0]
}

// wrote removes the first line. One that could not be written (a reader that is gone, a disk that is full)
// counts as dropped, which is said with the next one that can.
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

// end has nothing come behind what is queued.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
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
