package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/certs"
	"ciderd/internal/config"
	"ciderd/internal/peer"
)

const (
	// certificatesEvery is how often the files are looked at without being told to.
	certificatesEvery = time.Minute
	// remindEvery is how often the log tells of what should not stay as it is.
	remindEvery = time.Hour
)

// encryption is what this process has of certificates. All methods may be called from any goroutine.
type encryption struct {
	log hclog.Logger

	mu      sync.Mutex // all below
	names   config.TLS
	node    *certs.Pair // this node's, for other nodes; nil: none, and so are the following
	nodeCAs *certs.Pool
	client  *certs.Pair // of the clients' ports; may be node
	clients *certs.Pool
	config  *tls.Config // of the clients' ports
	said    string      // the last complaint about files
}

func newEncryption(log hclog.Logger) *encryption { return &encryption{log: log} }

// openEncryption reads the certificates that a configuration names, and returns how other nodes are spoken to. The error
// is one of configuration.
func openEncryption(c *config.Config, log hclog.Logger) (*encryption, *peer.Security, error) {
	e := newEncryption(log.Named("tls"))
	use, err := e.prepare(c.TLS)
	if err != nil {
		return nil, nil, errCertificates{err}
	}
	_ = use() // nothing was in use that could have stayed
	return e, peer.NewSecurity(e, peerMode(c)), nil
}

// errCertificates is an error of files that the configuration names.
type errCertificates struct{ error }

func (e errCertificates) Unwrap() error { return e.error }

func (d *Daemon) openEncryption() (err error) {
	d.encryption, d.peers, err = openEncryption(d.config, d.log)
	return err
}

// peerMode returns what a configuration says of connections between nodes.
func peerMode(c *config.Config) peer.Mode {
	switch c.PeerMode() {
	case config.PeerTLSPrefer:
		return peer.Prefer
	case config.PeerTLSRequire:
		return peer.Require
	}
	return peer.Off
}

// setPeerMode has new connections between nodes encrypted as the configuration says now.
func (d *Daemon) setPeerMode() { d.peers.SetMode(peerMode(d.config)) }

// encryptionReminders returns what should not stay as it is.
func (d *Daemon) encryptionReminders() (all []string) {
	if d.peers.Mode() == peer.Prefer && !d.config.Single {
		all = append(all, fmt.Sprintf("peer_tls = prefer protects from nobody (%s); set it to require once all nodes speak TLS", d.peerTLS()))
	}
	return all
}

// peerTLS returns how connections between nodes are protected, and while that may differ, with which nodes they are not.
func (d *Daemon) peerTLS() string {
	mode := d.peers.Mode()
	if mode != peer.Prefer {
		return mode.String()
	}
	encrypted := d.peers.Encrypted()
	var plain []string
	for _, m := range members(d.config).Others(d.config.NodeName) {
		if !slices.Contains(encrypted, m.Name) {
			plain = append(plain, m.Name)
		}
	}
	if len(plain) == 0 {
		return mode.String() + " all nodes speak TLS"
	}
	return mode.String() + " not encrypted: " + strings.Join(plain, " ")
}

// Certificate returns this node's pair, for other nodes; nil: there is none.
func (e *encryption) Certificate() *tls.Certificate {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.node == nil {
		return nil
	}
	return e.node.Certificate()
}

// Roots returns the authorities by which other nodes are known; nil: there are none, and nobody is known.
func (e *encryption) Roots() *x509.CertPool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.nodeCAs == nil {
		return nil
	}
	return e.nodeCAs.Roots()
}

// forClients returns what a handshake on a clients' port begins with; nil: there is no certificate.
func (e *encryption) forClients() *tls.Config {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.config
}

// prepare reads the files that a configuration names. use takes them into use. After an error nothing has changed. A
// file that is named as before and does not work any more is an error of use: what it held stays in use.
func (e *encryption) prepare(names config.TLS) (use func() error, err error) {
	e.mu.Lock()
	same := names == e.names
	e.mu.Unlock()
	if same {
		return e.again, nil
	}
	next := &encryption{names: names}
	if err := next.read(); err != nil {
		return nil, err
	}
	return func() error {
		e.warnOfModes(next.pairs())
		e.mu.Lock()
		defer e.mu.Unlock()
		e.names, e.node, e.nodeCAs, e.client, e.clients = next.names, next.node, next.nodeCAs, next.client, next.clients
		e.said = ""
		e.configure()
		return nil
	}, nil
}

// read opens all files that are named.
func (e *encryption) read() error {
	var errs []error
	pair := func(certFile, keyFile string) (p *certs.Pair) {
		var err error
		if certFile != "" {
			p, err = certs.OpenPair(certFile, keyFile)
		}
		errs = append(errs, err)
		return p
	}
	pool := func(file string) (p *certs.Pool) {
		var err error
		if file != "" {
			p, err = certs.OpenPool(file)
		}
		errs = append(errs, err)
		return p
	}
	e.node = pair(e.names.CertFile, e.names.KeyFile)
	if e.client = e.node; e.names.ClientCertFile != "" {
		e.client = pair(e.names.ClientCertFile, e.names.ClientKeyFile)
	}
	e.nodeCAs, e.clients = pool(e.names.CAFile), pool(e.names.ClientCAFile)
	return errors.Join(errs...)
}

// configure makes the configuration of the clients' ports anew, so that it is not touched while handshakes use it. mu
// is held.
func (e *encryption) configure() {
	if e.config = nil; e.client == nil {
		return
	}
	pair := e.client // with Certificates a handshake without a server name would never ask for the present one
	e.config = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.Certificate(), nil },
	}
	if e.clients != nil {
		e.config.ClientAuth, e.config.ClientCAs = tls.RequireAndVerifyClientCert, e.clients.Roots()
	}
}

// again reads the files again, and says what has changed. The error is of those that stay as they were. Handshakes do not
// wait for it: a disk may hang.
func (e *encryption) again() error {
	e.mu.Lock()
	pairs, pools := e.pairs(), e.pools()
	e.mu.Unlock()
	var errs []error
	changed := false
	look := func(file string, reload func() (bool, error)) {
		new, err := reload()
		if new {
			e.log.Info("certificates read again", "file", file)
		}
		changed = changed || new
		errs = append(errs, err)
	}
	for _, p := range pairs {
		look(p.File(), p.Reload)
	}
	for _, p := range pools {
		look(p.File(), p.Reload)
	}
	if changed {
		e.warnOfModes(pairs)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if changed {
		e.configure()
	}
	err := errors.Join(errs...)
	e.complain(err)
	return err
}

// complain logs an error, once. mu is held.
func (e *encryption) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != e.said && text != "" {
		e.log.Error("certificates are not taken over; those that were read before stay in use", "error", err)
	}
	e.said = text
}

// pairs returns those that are in use. mu is held.
func (e *encryption) pairs() (all []*certs.Pair) {
	if e.node != nil {
		all = append(all, e.node)
	}
	if e.client != nil && e.client != e.node {
		all = append(all, e.client)
	}
	return all
}

// pools returns the authorities that are in use. mu is held.
func (e *encryption) pools() (all []*certs.Pool) {
	for _, p := range []*certs.Pool{e.nodeCAs, e.clients} {
		if p != nil {
			all = append(all, p)
		}
	}
	return all
}

// warnOfModes warns of keys that others can read.
func (e *encryption) warnOfModes(pairs []*certs.Pair) {
	for _, p := range pairs {
		if err := p.Exposed(); err != nil {
			e.log.Warn("a key is not secret", "error", err)
		}
	}
}

// notices returns what expires soon, or has.
func (e *encryption) notices(now time.Time) (all []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for file, end := range e.ends() {
		switch left := end.Sub(now); {
		case left <= 0:
			all = append(all, fmt.Sprintf("%s has expired: replace it (ciderd tls renew), it is read again within a minute", file))
		case left < certs.Soon:
			all = append(all, fmt.Sprintf("%s expires in %d days: replace it (ciderd tls renew)", file, int(left.Hours()/24)))
		}
	}
	slices.Sort(all)
	return all
}

// expiry returns when each file that is in use expires.
func (e *encryption) expiry() map[string]time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ends()
}

// ends is expiry, with mu held.
func (e *encryption) ends() map[string]time.Time {
	ends := map[string]time.Time{}
	for _, p := range e.pairs() {
		ends[p.File()] = p.Certificate().Leaf.NotAfter
	}
	for _, p := range e.pools() {
		ends[p.File()] = p.Expires()
	}
	return ends
}

// watch reads files again when they have changed, until ctx ends. reminders returns what the log tells of now and then,
// beside what expires.
func (e *encryption) watch(ctx context.Context, reminders func() []string) {
	look, remind := time.NewTicker(certificatesEvery), time.NewTicker(remindEvery)
	defer look.Stop()
	defer remind.Stop()
	for _, text := range e.notices(time.Now()) {
		e.log.Warn(text)
	}
	for {
		select {
		case <-look.C:
			_ = e.again() // it has said so
		case <-remind.C:
			for _, text := range append(e.notices(time.Now()), reminders()...) {
				e.log.Warn(text)
			}
		case <-ctx.Done():
			return
		}
	}
}
