package server

import (
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"time"

	"ciderd/internal/protocol"
)

type admission int

const (
	admitted       admission = iota
	crowded                  // this node has all the connections that it may
	crowdedAddress           // the client's address has
	noPlace                  // not even for telling it so
)

// admit gives a connection a session of its own, or refuses it.
func (s *Server) admit(conn net.Conn) {
	session := newSession(s, conn)
	switch a, limit := s.enter(session); a {
	case noPlace:
		conn.Close()
	case crowded, crowdedAddress:
		go func() {
			defer s.leave(session)
			session.turnAway(a, limit)
		}()
	case admitted:
		go func() {
			defer s.leave(session)
			session.run()
		}()
	}
}

// enter counts a session in, and gives the limit that it is over if it is over one.
func (s *Server) enter(session *session) (a admission, limit int) {
	cfg := s.config.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return noPlace, 0
	}
	switch {
	case cfg.MaxPerAddress > 0 && s.addresses[session.origin] >= cfg.MaxPerAddress:
		a, limit = crowdedAddress, cfg.MaxPerAddress
	case cfg.MaxConnections > 0 && len(s.sessions)-s.refused >= cfg.MaxConnections:
		a, limit = crowded, cfg.MaxConnections
	}
	if a != admitted && s.refused >= maxRefusals {
		return noPlace, 0
	}
	s.sessions[session] = struct{}{}
	s.running.Add(1)
	if a != admitted {
		session.refused = true
		s.refused++
		return a, limit
	}
	s.addresses[session.origin]++
	return admitted, 0
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
func (s *session) turnAway(a admission, limit int) {
	s.conn.SetWriteDeadline(time.Now().Add(lingerTime))
	message := "this node has its limit of " + strconv.Itoa(limit) + " connections; try another node, or again later"
	if a == crowdedAddress {
		message = "your address has its limit of " + strconv.Itoa(limit) + " connections to this node; close one first"
	}
	s.fail(protocol.TooManyConnections, message)
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
	s.fail(protocol.Internal, "this session has failed, this node's log says how; the outcome of its last commands is not known")
	s.flush()
	s.linger()
}
