package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Pair is a certificate with its key, from two files that may be replaced while the process runs. All methods may be
// called from any goroutine.
type Pair struct {
	certFile, keyFile string
	now               func() time.Time
	current           atomic.Pointer[tls.Certificate]
}

// OpenPair reads a pair. The error names the file that does not work, and says why.
func OpenPair(certFile, keyFile string) (*Pair, error) {
	p := &Pair{certFile: certFile, keyFile: keyFile, now: time.Now}
	_, err := p.Reload()
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Certificate returns the pair that works now, with its leaf parsed.
func (p *Pair) Certificate() *tls.Certificate { return p.current.Load() }

// File returns the name of the certificate's file.
func (p *Pair) File() string { return p.certFile }

// Reload reads the files again, and reports whether they hold another pair than before. After an error the old pair
// stays in place.
func (p *Pair) Reload() (changed bool, err error) {
	pair, err := p.read()
	if err != nil {
		return false, err
	}
	old := p.current.Load()
	if old != nil && same(old.Certificate, pair.Certificate) {
		return false, nil
	}
	p.current.Store(pair)
	return true, nil
}

func same(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (p *Pair) read() (*tls.Certificate, error) {
	cert, err := os.ReadFile(p.certFile)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(p.keyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no pair: %w", p.certFile, p.keyFile, err)
	}
	if pair.Leaf == nil { // unless GODEBUG says otherwise, it is there
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, fmt.Errorf("%s: %w", p.certFile, err)
		}
	}
	switch now := p.now(); {
	case now.After(pair.Leaf.NotAfter):
		return nil, fmt.Errorf("%s has expired on %s", p.certFile, day(pair.Leaf.NotAfter))
	case now.Before(pair.Leaf.NotBefore):
		return nil, fmt.Errorf("%s is not valid before %s; is the clock right?", p.certFile, pair.Leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return &pair, nil
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// Exposed returns an error if others than the owner and the group can read the key.
func (p *Pair) Exposed() error { return exposed(p.keyFile) }

// exposed returns an error if anybody can read a file that holds a secret.
func exposed(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return fmt.Errorf("%s can be read by everybody (mode %04o): chmod 0600 it", file, mode)
	}
	return nil
}

// Pool is a file of authorities' certificates, which may be replaced while the process runs. All methods may be called
// from any goroutine.
type Pool struct {
	file    string
	current atomic.Pointer[authorities]
}

type authorities struct {
	text  []byte
	pool  *x509.CertPool
	certs []*x509.Certificate
}

// OpenPool reads a file of one certificate or more.
func OpenPool(file string) (*Pool, error) {
	p := &Pool{file: file}
	if _, err := p.Reload(); err != nil {
		return nil, err
	}
	return p, nil
}

// Roots returns the authorities that are trusted now.
func (p *Pool) Roots() *x509.CertPool { return p.current.Load().pool }

// File returns the name of the file.
func (p *Pool) File() string { return p.file }

// Expires returns when the first of the authorities expires.
func (p *Pool) Expires() time.Time {
	var first time.Time
	for _, c := range p.current.Load().certs {
		if first.IsZero() || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	return first
}

// Reload reads the file again, and reports whether it has changed. After an error the old authorities stay.
func (p *Pool) Reload() (changed bool, err error) {
	text, err := os.ReadFile(p.file)
	if err != nil {
		return false, err
	}
	if old := p.current.Load(); old != nil && bytes.Equal(old.text, text) {
		return false, nil
	}
	certs, err := parse(text)
	if err == nil && len(certs) == 0 {
		err = errors.New("no certificate is in it")
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		if !c.IsCA {
			err = errors.Join(err, fmt.Errorf("%s is no authority", c.Subject))
		}
		pool.AddCert(c)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", p.file, err)
	}
	p.current.Store(&authorities{text, pool, certs})
	return true, nil
}
