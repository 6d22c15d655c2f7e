package server

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/protocol/text"
	"ciderd/internal/redis"
	"ciderd/internal/session"
)

type admission int

const (
	admitted       admission = iota
	crowded                  // this node has reached its limit of connections
	crowdedAddress           // the client's address has reached its limit
	draining                 // this node takes no clients for now
	noPlace                  // not even for refusing it
)

// admit makes a client for a connection, or refuses the connection.
func (s *Server) admit(conn net.Conn, p port) {
	if s.config.Load().fromProxy(conn.RemoteAddr()) {
		s.admitFromProxy(conn, p)
		return
	}
	s.admitAs(conn, conn.RemoteAddr(), p)
}

// admitAs admits a connection of the client at an address.
func (s *Server) admitAs(conn net.Conn, addr net.Addr, p port) {
	k := newSocket(conn, addr)
	switch a, limit := s.enter(k, p); a {
	case noPlace:
		conn.Close()
	case crowded, crowdedAddress, draining:
		go func() {
			defer s.leave(k)
			s.refuse(k, p, a, limit)
		}()
	case admitted:
		go func() {
			defer s.leave(k)
			p.serve(s, k)
		}()
	}
}

// enter counts a connection, and returns the limit that it exceeds, if any.
func (s *Server) enter(k *socket, p port) (a admission, limit int) {
	cfg := s.config.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return noPlace, 0
	}
	switch {
	case s.draining:
		a = draining
		s.Counting.refused[refusedDraining].Add(1)
	case cfg.MaxPerAddress > 0 && s.addresses[k.address] >= cfg.MaxPerAddress:
		a, limit = crowdedAddress, cfg.MaxPerAddress
		s.Counting.refused[refusedAddress].Add(1)
	case cfg.MaxConnections > 0 && len(s.open)-s.refusing >= cfg.MaxConnections:
		a, limit = crowded, cfg.MaxConnections
		s.Counting.refused[refusedLimit].Add(1)
	}
	if a != admitted {
		if s.refusing >= maxRefusals {
			return noPlace, 0
		}
	}
	s.open[k] = struct{}{}
	s.running.Add(1)
	if a != admitted {
		k.refused = true
		s.refusing++
		return a, limit
	}
	s.accepted++
	k.counted = s.Counting.ports[p.name()]
	k.counted.open.Add(1)
	s.addresses[k.address]++
	return admitted, 0
}

func (s *Server) leave(k *socket) {
	defer s.running.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, k)
	if k.refused {
		s.refusing--
		return
	}
	k.counted.open.Add(-1)
	if s.addresses[k.address]--; s.addresses[k.address] == 0 {
		delete(s.addresses, k.address)
	}
}

// refusal is what a socket needs of a client that is being refused.
type refusal struct{}

func (refusal) stallTimeout() time.Duration { return lingerTime }
func (refusal) takesNothing()               {}

// refusalTime is for the handshake with a client that is then refused.
const refusalTime = 3 * time.Second

// refuse writes why in place of the banner. A client of Redis is told only of limits, as Redis does; one of a node that
// drains finds its connection closed, which each tries again elsewhere. With TLS that is worth a handshake: refusals are bounded
// in number, and handshakes in what they compute at a time.
func (s *Server) refuse(k *socket, p port, a admission, limit int) {
	k.user = refusal{}
	var e *encryption
	out := output{to: k, after: func() {}}
	if p.tls != nil {
		e = newEncryption(k)
		if e.handshake(p.tls(), s.shaking, time.Now().Add(refusalTime), s.stopped) != nil {
			k.close()
			return
		}
		out.to = e
	}
	if p.resp && a != draining {
		w := resp.NewWriter(&out)
		w.Error(string(redis.ErrCrowded))
	} else if !p.resp {
		w := text.NewWriter(&out, s.config.Load().CRLF)
		w.Error(a.inWords(limit))
	}
	out.Flush()
	k.linger(!out.Gone(), e)
	out.release()
}

// inWords is what a client is answered that is not admitted.
func (a admission) inWords(limit int) (code protocol.Code, message string) {
	switch a {
	case draining:
		return protocol.ShuttingDown, session.Draining
	case crowdedAddress:
		return protocol.TooManyConnections, "your address has reached its limit of " + strconv.Itoa(limit) + " connections to this node; close one first"
	}
	return protocol.TooManyConnections, "this node has reached its limit of " + strconv.Itoa(limit) + " connections; try another node, or try again later"
}

// clientAddress returns what counts as one client: an IPv4 address, or the /64 of an IPv6 address, since a single
// customer has all of it.
func clientAddress(addr net.Addr) string {
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
