package session

import (
	"context"
	"errors"
	"runtime"
	"strconv"

	"ciderd/internal/fsm"
	"ciderd/internal/pipeline"
	"ciderd/internal/protocol"
)

// stats is about the user's own cache: what it holds, the same on every node, and what has been asked
// of it on this node since that started.
func stats(s *Session, _ *protocol.Request) {
	ks := s.reads.keyspace()
	if ks == nil {
		return
	}
	s.publish()
	a, c := &s.answers, &s.login.user.counts
	a.Begin(-1)
	a.number("keys", uint64(ks.Count(s.reads.time())))
	a.number("bytes", uint64(ks.Bytes()))
	if u, ok := s.reads.reader.Usage(); ok {
		a.number("memory", uint64(u.Memory))
		a.bound("quota", u.Quota, 0)
		a.bound("guarantee", u.Guarantee, fsm.Unbounded)
		a.number("evicted", u.Evicted)
	}
	a.number("version", ks.Version())
	a.number("hits", c.hits.Load())
	a.number("misses", c.misses.Load())
	a.number("writes", c.writes.Load())
	a.number("sessions", uint64(s.all.users.sessions(s.login.user)))
	a.End()
}

// status is about this node.
func status(s *Session, _ *protocol.Request) {
	a := &s.answers
	a.Begin(-1)
	for name, value := range s.all.node.Facts() {
		a.Fact(name, value)
	}
	a.End()
}

func (a *answers) number(name string, n uint64) { a.Fact(name, strconv.FormatUint(n, 10)) }

// bound is a number of bytes; without stands for none.
func (a *answers) bound(name string, n, without int64) {
	if n == without {
		a.Fact(name, "-")
		return
	}
	a.Fact(name, strconv.FormatInt(n, 10))
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func whoami(s *Session, _ *protocol.Request) {
	name, role := s.all.node.Self()
	s.answers.Text(s.login.name + " " + orDash(name) + " " + orDash(role))
}

func version(s *Session, _ *protocol.Request) {
	s.answers.Text("ciderd " + s.all.config.Load().Version + " " + runtime.GOOS + "/" + runtime.GOARCH + " " + runtime.Version())
}

// ping answers the text as a value, so that what comes back is never a control byte, nor looks like
// another reply.
func ping(s *Session, req *protocol.Request) {
	if req.Value == nil {
		s.answers.Word(protocol.Pong)
		return
	}
	s.answers.Value(req.Value)
}

func syncNow(s *Session, _ *protocol.Request) {
	timeout := s.all.config.Load().WriteTimeout
	ctx, cancel := context.WithTimeout(s.all.ctx, timeout)
	defer cancel()
	err := s.all.node.Sync(ctx)
	s.reads.timePasses()
	switch {
	case err == nil:
		s.answers.Word(protocol.OK)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, pipeline.ErrTimeout):
		s.answers.Error(protocol.Timeout, "this node could not confirm within "+InWords(timeout)+" that it is up to date; send SYNC again")
	case errors.Is(err, context.Canceled):
		s.answers.unwritten(pipeline.ErrShutdown)
	default:
		s.answers.unwritten(err)
	}
}
