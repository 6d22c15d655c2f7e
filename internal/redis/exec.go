package redis

import (
	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

// exec is a transaction that has been proposed, until it is answered.
type exec struct {
	steps []step
	held  int64 // bytes of the session's, which its arguments take
}

// step is one command of a transaction.
type step struct {
	queued
	h      *handler
	err    error          // it is not in the entry: this is its reply
	answer session.Answer // of a write
	at, n  int            // its results among those of the entry
}

// execute makes one entry of what is queued. It is answered when that has been applied here, in its turn; what comes next
// does not wait for that, so that transactions of a burst are on their way together.
func execute(s *Session, _ *resp.Command, _ [][]byte) {
	q := s.queue
	switch {
	case q == nil:
		s.fail(resp.ErrExecAlone)
		return
	case q.dirty:
		s.discard()
		s.unwatch()
		s.fail(resp.ErrExecAbort)
		return
	case q.hasScript():
		if s.settle() {
			executeScripts(s, q)
		}
		return
	}
	x, t := s.prepare(q)
	s.queue = nil // what it holds is x's now
	s.unwatch()
	switch {
	case t.Size() > resp.MaxTransaction || t.Count() > fsm.MaxInExec:
		s.letGo(x.held)
		s.fail(resp.ErrTooLarge)
	case t.Count()+t.Conditions() == 0:
		if s.settle() {
			s.answerExec(x, nil)
		}
	case !s.direct.Ready():
		s.letGo(x.held)
	default:
		propose(s, x, t)
	}
}

// propose puts a transaction among the writes.
func propose(s *Session, x *exec, t *fsm.Transaction) {
	s.execs = append(s.execs, x)
	s.command = fsm.Command{Op: fsm.OpExec, Exec: t}
	s.direct.Write(&s.command, execAnswer)
	s.command.Exec = nil
	switch {
	case !s.Pending(): // it was refused at once, after all before it had been answered
		s.letGo(s.execs.next().held)
	case x.acts():
		s.settle() // before anything else is pending: a command in it may wait for what is
	}
}

// execs are transactions that have been proposed and not answered.
type execs []*exec

// next takes the one that is to be answered next.
func (all *execs) next() *exec {
	x := (*all)[0]
	(*all)[0] = nil
	if *all = (*all)[1:]; len(*all) == 0 {
		*all = nil
	}
	return x
}

// acts reports whether there is a command that is done when EXEC is answered.
func (x *exec) acts() bool {
	for i := range x.steps {
		if x.steps[i].h.run != nil {
			return true
		}
	}
	return false
}

// prepare makes the entry.
func (s *Session) prepare(q *queue) (*exec, *fsm.Transaction) {
	x, t := &exec{steps: make([]step, len(q.commands)), held: q.held()}, &fsm.Transaction{}
	for key, version := range s.watched {
		t.Watch([]byte(key), version)
	}
	view := -1 // where the last one is, if it is as new as what comes next
	for i, c := range q.commands {
		st := &x.steps[i]
		st.queued, st.h, st.at = c, &handlers[c.c.Number], t.Count()
		switch h := st.h; {
		case h.write != nil:
			var w fsm.Command
			if st.answer, st.err = h.write(s, c.c, c.args, &w); st.err == nil {
				t.Add(&w)
				view = -1
			}
		case h.whole != nil:
			if view < 0 {
				view = t.Count()
				t.Add(&fsm.Command{Op: fsm.OpView})
			}
			st.at = view
		case h.one != nil, h.many != nil:
			for _, key := range c.c.AppendKeys(nil, c.args) {
				t.Add(&fsm.Command{Op: fsm.OpLook, Key: key})
			}
		}
		st.n = t.Count() - st.at
	}
	return x, t
}

// execAnswer answers the next of the session's transactions.
func execAnswer(to protocol.Reply, r fsm.Result) bool {
	s := to.(*reply).s
	x := s.execs.next()
	if r.Kind == fsm.KindExec && r.Details != nil {
		s.answerExec(x, r.Details.Results)
		return true
	}
	s.letGo(x.held)
	if r.Kind == fsm.KindNil {
		s.w.NullArray()
		return true
	}
	return false
}

// answerExec answers each command, by what the cluster made of it.
func (s *Session) answerExec(x *exec, results []fsm.Result) {
	s.w.Array(len(x.steps))
	for i := range x.steps {
		s.answerStep(&x.steps[i], results)
	}
	s.letGo(x.held)
}

func (s *Session) answerStep(st *step, results []fsm.Result) {
	switch h := st.h; {
	case st.err != nil:
		s.w.Error(st.err.Error())
	case h.run != nil:
		s.keys = st.c.AppendKeys(s.keys[:0], st.args)
		h.run(s, st.c, st.args)
	case h.write != nil:
		s.direct.Result(results[st.at], st.answer)
	case h.whole != nil:
		r := results[st.at]
		h.whole(s, st.args, keyspace{now: r.N, view: r.Details.View})
	case h.many != nil:
		h.many(s, st.n, func(fn func(cache.Item, bool)) {
			for i := range st.n {
				fn(s.item(&results[st.at+i]))
			}
		})
	default:
		it, there := s.item(&results[st.at])
		h.one(s, st.c, st.args, it, there)
	}
}

// item returns the item that a look has found, and counts that.
func (s *Session) item(r *fsm.Result) (it cache.Item, there bool) {
	if there = r.Kind == fsm.KindValue && r.Details != nil; there {
		it = r.Details.Item
	}
	s.direct.Count(there)
	return it, there
}
