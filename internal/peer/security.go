package peer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Mode is which connections between nodes are encrypted.
type Mode uint32

// The modes.
const (
	Off     Mode = iota // none
	Prefer              // those with nodes that can, which protects from nobody: it is for the way from Off to Require, and back
	Require             // all; there are no others
)

// String returns the mode as it is in the configuration.
func (m Mode) String() string {
	switch m {
	case Off:
		return "off"
	case Prefer:
		return "prefer"
	}
	return "require"
}

// Credentials are what a node proves itself with, and knows others by. They may change at any time; each handshake
// takes those of its moment. Its methods may be called from any goroutine.
type Credentials interface {
	Certificate() *tls.Certificate // this node's, with its key; nil: none, and no handshake works
	Roots() *x509.CertPool         // the authorities that are trusted; nil: none
}

// Security is how one Network's connections are protected. A nil Security is Off for good. All methods may be called
// from any goroutine.
type Security struct {
	credentials Credentials
	mode        atomic.Uint32 // written with mu held
	changed     chan struct{} // signalled when the mode has changed

	mu    sync.Mutex // all below
	open  map[*connection]struct{}
	plain map[string]time.Time // when a node was last seen to speak no TLS, by name, since the mode changed
}

// NewSecurity returns a Security for one Network. credentials may be nil for as long as the mode is Off.
func NewSecurity(credentials Credentials, mode Mode) *Security {
	s := &Security{
		credentials: credentials, changed: make(chan struct{}, 1),
		open: map[*connection]struct{}{}, plain: map[string]time.Time{},
	}
	s.mode.Store(uint32(mode))
	return s
}

// Mode returns the current mode.
func (s *Security) Mode() Mode {
	if s == nil {
		return Off
	}
	return Mode(s.mode.Load())
}

// SetMode sets the mode for all connections that are not open yet. Those that are open and do not fit are closed by
// the Network, one node's after the other.
func (s *Security) SetMode(m Mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if Mode(s.mode.Swap(uint32(m))) == m {
		return
	}
	clear(s.plain)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Tickets would let a connection begin without its certificates being verified. Records are as long as they can be
// from the start: nobody waits for the first bytes of a page here.
func baseConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true}
}

// acceptConfig returns what a handshake that another node begins is made with. The hello says later which node that is.
func (s *Security) acceptConfig() *tls.Config {
	c := baseConfig()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.certificate() }
	c.ClientAuth = tls.RequireAnyClientCert // and VerifyConnection verifies it
	c.VerifyConnection = func(state tls.ConnectionState) error {
		return s.verify(state.PeerCertificates, x509.ExtKeyUsageClientAuth)
	}
	return c
}

// dialConfig returns what a handshake with a node is begun with.
func (s *Security) dialConfig(node string) *tls.Config {
	c := baseConfig()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.certificate() }
	c.InsecureSkipVerify = true // VerifyConnection does it: crypto/tls would let wildcards pass
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if err := s.verify(state.PeerCertificates, x509.ExtKeyUsageServerAuth); err != nil {
			return err
		}
		return issuedTo(state.PeerCertificates[0], node)
	}
	return c
}

// errNoCertificate: this node has none to prove itself with.
var errNoCertificate = errors.New("this node has no certificate")

func (s *Security) certificate() (*tls.Certificate, error) {
	if s.credentials == nil {
		return nil, errNoCertificate
	}
	if c := s.credentials.Certificate(); c != nil {
		return c, nil
	}
	return nil, errNoCertificate
}

// CertificateError is why the certificate at the other end is not accepted.
type CertificateError struct{ err error }

func (e *CertificateError) Error() string { return e.err.Error() }

// Unwrap returns the reason.
func (e *CertificateError) Unwrap() error { return e.err }

// verify returns why a certificate, with those between it and its authority, is not good for one end of a connection.
func (s *Security) verify(chain []*x509.Certificate, end x509.ExtKeyUsage) error {
	if len(chain) == 0 {
		return &CertificateError{errors.New("there is none")}
	}
	var roots *x509.CertPool
	if s.credentials != nil {
		roots = s.credentials.Roots()
	}
	if roots == nil { // which Verify would take for the machine's own
		return &CertificateError{errors.New("this node trusts no authority")}
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{end}})
	if err != nil {
		return &CertificateError{err}
	}
	return nil
}

// issuedTo returns an error unless a certificate is that of a node. Names are compared as they are: a wildcard is no
// node, and the common name is for people.
func issuedTo(c *x509.Certificate, node string) error {
	if node == "" || !slices.Contains(c.DNSNames, node) {
		return &CertificateError{fmt.Errorf("it is for %q, not for %q", c.DNSNames, node)}
	}
	return nil
}
