package server

import (
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"ciderd/internal/protocol"
)

type admission int

const (
	admitted admission = iota
	overLimit
	noPlace // not even for telling it so
)

// admit gives a connection a session of its own, or refuses it.
func (s *Server) admit(conn net.Conn) {
	session := newSession(s, conn)
	switch s.enter(session) {
	case noPlace:
		conn.Close()
	case overLimit:
		go func() {
			defer s.leave(session)
			session.turnAway()
		}()
	case admitted:
		go func() {
			defer s.leave(session)
			session.run()
		}()
	}
}

func (s *Server) enter(session *session) admission {
	cfg := s.config.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return noPlace
	}
	over := cfg.MaxConnections > 0 && len(s.sessions)-s.refused >= cfg.MaxConnections ||
		cfg.MaxPerAddress > 0 && s.addresses[session.origin] >= cfg.MaxPerAddress
	if over && s.refused >= maxRefusals {
		return noPlace
	}
	s.sessions[session] = struct{}{}
	s.running.Add(1)
	if over {
		session.refused = true
		s.refused++
		return overLimit
	}
	s.addresses[session.origin]++
	return admitted
}

func (s *Server) leave(session *session) {
	defer s.running.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session)
	if session.refused {
		s.refused--
		return
	}
	if s.addresses[session.origin]--; s.addresses[session.origin] == 0 {
		delete(s.addresses, session.origin)
	}
}

// turnAway says TOO_MANY_CONNECTIONS in the banner's place.
func (s *session) turnAway() {
	s.conn.SetWriteDeadline(time.Now().Add(lingerTime))
	s.fail(protocol.TooManyConnections, "too many connections; try again later")
	s.flush()
	s.linger()
}

// origin is what counts as one client for the limit per address: an IPv4 address, or the /64 of an
// IPv6 address, since a single customer has all of it.
func origin(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is6() {
		prefix, _ := ip.Prefix(64) // 64 bits always fit
		return prefix.String()
	}
	return ip.String()
}

// recovered ends a session whose code has panicked: the others go on. What was panicked with may hold
// a client's bytes, so only the runtime's own errors are logged in words.
func (s *session) recovered(cause any) {
	message := "not an error of the runtime"
	if err, ok := cause.(interface {
		error
		RuntimeError()
	}); ok {
		message = err.Error()
	}
	s.srv.log.Error("a session panicked", "error", message, "stack", string(debug.Stack()))
	s.fail(protocol.Internal, "this session failed; the outcome of its last commands is not known")
	s.flush()
	s.linger()
}
