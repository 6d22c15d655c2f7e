package server

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strconv"
	"time"

	"ciderd/internal/cluster"
	"ciderd/internal/protocol"
)

// stats is about the user's own cache: what it holds, the same on every node, and what has been asked
// of it on this node since that started.
func (s *session) stats() {
	ks := s.keyspace()
	if ks == nil {
		return
	}
	s.publish()
	c := &s.login.account.counts
	s.factUint("keys", uint64(ks.Count(s.clock())))
	s.factUint("bytes", uint64(ks.Bytes()))
	s.factUint("version", ks.Version())
	s.factUint("hits", c.hits.Load())
	s.factUint("misses", c.misses.Load())
	s.factUint("writes", c.writes.Load())
	s.factUint("sessions", uint64(s.srv.users.sessions(s.login.account)))
	s.reply("END")
}

// status is about this node.
func (s *session) status() {
	st := s.srv.node.Status()
	s.fact("node", orDash(st.Node))
	s.fact("cluster", orDash(st.Cluster))
	s.fact("role", orDash(st.Role))
	s.fact("leader", orDash(st.Leader))
	s.fact("ready", yesNo(st.Ready))
	s.fact("reads", yesOrNo(st.Reads))
	s.fact("writes", yesOrNo(st.Writes))
	s.fact("waiting", orDash(st.Waiting))
	s.fact("voter", yesNo(st.Voter))
	s.fact("disk", diskFact(st.NoRoom))
	s.factUint("term", st.Term)
	s.factUint("commit", st.Commit)
	s.factUint("applied", st.Applied)
	s.fact("version", s.srv.config.Load().Version)
	s.factUint("uptime", uint64(time.Since(s.srv.started)/time.Second))
	s.factUint("users", uint64(s.srv.node.FSM().Users()))
	s.factUint("sessions", uint64(s.srv.Sessions()))
	for _, p := range st.Peers {
		s.fact("peer", peerFact(p))
	}
	s.reply("END")
}

func peerFact(p cluster.PeerStatus) string {
	if p.Reason != "" {
		return p.Name + " - - " + p.Reason
	}
	return p.Name + " " + p.Role + " " + strconv.FormatUint(p.Lag, 10) + " ok"
}

func yesOrNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func diskFact(noRoom bool) string {
	if noRoom {
		return "full"
	}
	return "ok"
}

func yesNo(is bool) string { return strconv.FormatBool(is) }

func (s *session) whoami() {
	st := s.srv.node.Status()
	s.reply(s.login.name + " " + orDash(st.Node) + " " + orDash(st.Role))
}

func (s *session) version() {
	s.reply("ciderd " + s.srv.config.Load().Version + " " + runtime.GOOS + "/" + runtime.GOARCH + " " + runtime.Version())
}

// ping prints the text as a value is printed, so that what comes back is never a control byte, nor
// looks like another reply.
func (s *session) ping() {
	if s.req.Value == nil {
		s.reply("PONG")
		return
	}
	s.replyValue(s.req.Value)
}

func (s *session) help() {
	b, err := protocol.AppendHelp(nil, s.req.Value)
	if err != nil {
		s.fail(err.Code, err.Message)
		return
	}
	for line := range bytes.Lines(b) {
		s.emit(append(append(s.buffer(), bytes.TrimSuffix(line, []byte("\n"))...), s.newline...))
	}
}

func (s *session) sync() {
	ctx, cancel := context.WithTimeout(s.srv.ctx, s.srv.config.Load().WriteTimeout)
	defer cancel()
	err := s.srv.node.Sync(ctx)
	s.now = 0
	switch {
	case err == nil:
		s.reply("OK")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, cluster.ErrTimeout):
		s.fail(protocol.Timeout, "this node could not make sure in "+inWords(s.srv.config.Load().WriteTimeout)+" that it has everything; send it again")
	case errors.Is(err, context.Canceled):
		s.failWrite(cluster.ErrShutdown)
	default:
		s.failWrite(err)
	}
}
