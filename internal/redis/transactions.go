package redis

import (
	"strings"

	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
)

func transactionHandlers() map[string]handler {
	return map[string]handler{
		"multi":   {run: multi, flows: true},
		"exec":    {run: execute, flows: true},
		"discard": {run: discard},
		"watch":   {run: watch},
		"unwatch": {run: unwatch},
	}
}

// queue is the commands of a MULTI, until EXEC.
type queue struct {
	commands []queued
	bytes    int  // of all arguments
	steps    int  // commands of the entry that it becomes, at most
	views    int  // of these, those that take a view of the keyspace
	fresh    bool // the last view is as new as what comes next
	dirty    bool // one of its commands was refused, so EXEC is
}

// queued is one command, in memory of its own.
type queued struct {
	c    *resp.Command
	args [][]byte
}

// queuedBytes is about what a queued command or argument takes beside its bytes.
const queuedBytes = 48

func multi(s *Session, _ *resp.Command, _ [][]byte) {
	if s.queue != nil {
		s.fail(resp.ErrNested)
		return
	}
	s.queue = &queue{}
	s.direct.Say(begun)
}

// begun answers a MULTI.
func begun(to protocol.Reply, _ fsm.Result) bool {
	writer(to).OK()
	return true
}

// enqueue queues a command, whose keys are in s.keys.
func (s *Session) enqueue(c *resp.Command, args [][]byte) {
	q := s.queue
	if !c.Has(resp.Loading) && !s.direct.Ready() {
		q.dirty = true
		return
	}
	if err := q.room(&handlers[c.Number], args, len(s.keys)); err != nil {
		s.refuse(err)
		return
	}
	if q.dirty { // EXEC will not do it
		s.queuedOne()
		return
	}
	if !s.hold(q.add(c, args)) {
		s.refuse(errBusy)
		return
	}
	s.queuedOne()
}

func (s *Session) queuedOne() { s.direct.Say(queuedOne) }

func queuedOne(to protocol.Reply, _ fsm.Result) bool {
	writer(to).Simple("QUEUED")
	return true
}

// room counts a command, and refuses one that is too many.
func (q *queue) room(h *handler, args [][]byte, keys int) error {
	q.bytes += queuedBytes
	for _, arg := range args {
		q.bytes += len(arg)
	}
	switch {
	case h.many != nil:
		q.steps += keys
	case h.whole != nil && !q.fresh:
		q.steps++
		q.views++
		q.fresh = true
	case h.write != nil:
		q.steps++
		q.fresh = false
	default:
		q.steps++
	}
	switch {
	case q.bytes > resp.MaxTransaction, q.steps > fsm.MaxInExec:
		return resp.ErrTooLarge
	case q.views > fsm.MaxViews:
		return errViews
	}
	return nil
}

// add copies a command, and returns how many bytes that takes.
func (q *queue) add(c *resp.Command, args [][]byte) (bytes int64) {
	size := 0
	for _, arg := range args {
		size += len(arg)
	}
	text, words := make([]byte, 0, size), make([][]byte, len(args))
	for i, arg := range args {
		from := len(text)
		text = append(text, arg...)
		words[i] = text[from:len(text):len(text)]
	}
	q.commands = append(q.commands, queued{c, words})
	return int64(size + queuedBytes*(1+len(args)))
}

func (q *queue) held() (bytes int64) {
	for _, c := range q.commands {
		bytes += int64(queuedBytes * (1 + len(c.args)))
		for _, arg := range c.args {
			bytes += int64(len(arg))
		}
	}
	return bytes
}

func discard(s *Session, _ *resp.Command, _ [][]byte) {
	if s.queue == nil {
		s.w.Error(string(resp.ErrDiscardAlone))
		return
	}
	s.discard()
	s.unwatch()
	s.w.OK()
}

// abort answers an EXEC that is refused itself, and with it the transaction.
func (s *Session) abort(err error) {
	s.discard()
	s.unwatch()
	s.fail(resp.Error("EXECABORT Transaction discarded because of: " + strings.TrimPrefix(err.Error(), "ERR ")))
}

// discard forgets the queue.
func (s *Session) discard() {
	if s.queue != nil {
		s.letGo(s.queue.held())
		s.queue = nil
	}
}

// watch notes the versions that keys have on this node: one that changes anywhere, until EXEC is applied, fails that.
func watch(s *Session, _ *resp.Command, _ [][]byte) {
	if s.queue != nil {
		s.w.Error(string(resp.ErrWatchInMulti))
		return
	}
	if !s.direct.Ready() {
		return
	}
	ks := s.direct.Keyspace()
	if ks == nil {
		return
	}
	now := s.direct.Now()
	for _, key := range s.keys {
		if _, twice := s.watched[string(key)]; twice {
			continue
		}
		if len(s.watched) >= fsm.MaxInExec {
			s.w.Error(string(errWatches))
			return
		}
		if s.watched == nil {
			s.watched = map[string]uint64{}
		}
		it, _ := ks.Get(key, now) // of what is not there the version is 0
		s.watched[string(key)] = it.Version
		if !s.hold(watchedBytes(len(key))) {
			s.w.Error(string(errBusy))
			return
		}
	}
	s.w.OK()
}

// watchedBytes is about what a watched key takes.
func watchedBytes(key int) int64 { return int64(key + 2*queuedBytes) }

func unwatch(s *Session, _ *resp.Command, _ [][]byte) {
	s.unwatch()
	s.w.OK()
}

// unwatch forgets what is watched.
func (s *Session) unwatch() {
	for key := range s.watched {
		s.letGo(watchedBytes(len(key)))
	}
	s.watched = nil
}
