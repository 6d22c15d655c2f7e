package server

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

const (
	proxyHeaderTime  = 5 * time.Second // for a proxy's header to arrive
	proxyHeaderBytes = 4 << 10         // behind its prefix; certificates of clients are the largest part that is known
	proxyPrefix      = 16              // bytes that every header begins with; the last two are the length of the rest
	maxProxyHeaders  = 1024            // connections of proxies that are being waited for
	proxyWarnEvery   = time.Minute
)

var (
	errNoProxyHeader = errors.New("it sends no PROXY header of version 2")
	errProxyGone     = errors.New("it was closed by the other side before anything came") // by a check of the port, say
)

// fromProxy reports whether a connection comes from a proxy that says who its client is.
func (c *Config) fromProxy(addr net.Addr) bool {
	if len(c.ProxyFrom) == 0 {
		return false
	}
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return false
	}
	ip := ap.Addr().Unmap().WithZone("")
	for _, p := range c.ProxyFrom {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// admitFromProxy admits a connection for the client that the proxy names. Until then it counts for no address.
func (s *Server) admitFromProxy(conn net.Conn, p port) {
	if !s.expectHeader(conn) {
		conn.Close()
		return
	}
	go func() {
		defer s.running.Done()
		client, err := readProxyHeader(conn)
		s.mu.Lock()
		delete(s.unnamed, conn)
		s.mu.Unlock()
		if err != nil {
			conn.Close()
			s.warnOfProxy(conn.RemoteAddr(), err)
			return
		}
		s.admitAs(conn, client, p)
	}()
}

// expectHeader notes that a proxy's header is being read, unless there are too many already.
func (s *Server) expectHeader(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	if len(s.unnamed) >= maxProxyHeaders {
		s.Counting.refused[refusedHeader].Add(1)
		return false
	}
	s.unnamed[conn] = struct{}{}
	s.running.Add(1)
	return true
}

// warnOfProxy tells the operator of a proxy that is not set up as the configuration says, now and then.
func (s *Server) warnOfProxy(proxy net.Addr, err error) {
	now, last := time.Now(), s.warned.Load()
	log := s.log.Debug
	if !errors.Is(err, errProxyGone) && !s.isStopping() && (last == nil || now.Sub(*last) >= proxyWarnEvery) && s.warned.CompareAndSwap(last, &now) {
		log = s.log.Warn
	}
	log("a connection from an address in listen.proxy_from was closed", "proxy", proxy.String(), "error", err)
}

// readProxyHeader reads a header of the PROXY protocol, version 2, and nothing behind it. It returns the address of the
// client; the proxy's own if it speaks for itself, or for a client that has no address on the network. A checksum in
// the header is not looked at: TCP has one, and the proxy is trusted.
func readProxyHeader(conn net.Conn) (net.Addr, error) {
	conn.SetReadDeadline(time.Now().Add(proxyHeaderTime))
	header, err := readHeaderBytes(conn)
	if err != nil {
		return nil, err
	}
	conn.SetReadDeadline(time.Time{})
	client, err := parseProxyHeader(header)
	if client == nil {
		client = conn.RemoteAddr()
	}
	return client, err
}

// readHeaderBytes reads the bytes of one header.
func readHeaderBytes(r io.Reader) ([]byte, error) {
	header := make([]byte, proxyPrefix)
	n, err := io.ReadFull(r, header)
	if n == 0 && err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errProxyGone
	}
	if !bytes.HasPrefix(proxyproto.SIGV2, header[:min(n, len(proxyproto.SIGV2))]) {
		return nil, errNoProxyHeader
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoProxyHeader, err)
	}
	rest := int(binary.BigEndian.Uint16(header[proxyPrefix-2:]))
	if rest > proxyHeaderBytes {
		return nil, fmt.Errorf("its PROXY header is larger than %d bytes", proxyHeaderBytes)
	}
	header = append(header, make([]byte, rest)...)
	if _, err := io.ReadFull(r, header[proxyPrefix:]); err != nil {
		return nil, fmt.Errorf("its PROXY header has no end: %w", err)
	}
	return header, nil
}

// parseProxyHeader returns the client's address; nil: the proxy's own is the one that counts.
func parseProxyHeader(header []byte) (net.Addr, error) {
	const command, family, local, unspecified = 12, 13, 0x20, 0
	if header[command] == byte(proxyproto.PROXY) && header[family] == unspecified {
		header[command] = local // the library rejects it otherwise
	}
	h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(header)))
	if err != nil {
		return nil, err
	}
	if _, err := h.TLVs(); err != nil {
		return nil, err
	}
	switch client := h.SourceAddr.(type) {
	case nil, *net.UnixAddr:
		return nil, nil
	case *net.TCPAddr:
		if h.Command.IsLocal() {
			return nil, nil
		}
		return client, nil
	}
	return nil, errors.New("its PROXY header is not about TCP")
}
