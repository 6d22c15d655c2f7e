package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	typeCertificate = "CERTIFICATE"
	typeKey         = "PRIVATE KEY" // PKCS #8, RFC 5958

	// AuthorityYears is how long an authority is valid.
	AuthorityYears = 10
	// NodeDays is how long a node's certificate is valid unless another number is given.
	NodeDays = 365
	// backdated allows for clocks that differ.
	backdated = time.Hour
)

// The names of an authority's files in its directory.
const (
	AuthorityFile    = "ca.pem"
	AuthorityKeyFile = "ca-key.pem"
)

// Authority signs nodes' certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority returns a new authority for a cluster, valid from now on.
func NewAuthority(cluster string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := newTemplate("ciderd CA of "+cluster, now, now.AddDate(AuthorityYears, 0, 0))
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{cert, key}, nil
}

// ReadAuthority reads the authority that Write has left in a directory.
func ReadAuthority(dir string) (*Authority, error) {
	certs, err := Read(filepath.Join(dir, AuthorityFile))
	if err != nil {
		return nil, err
	}
	keyFile := filepath.Join(dir, AuthorityKeyFile)
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != typeKey {
		return nil, fmt.Errorf("%s holds no key", keyFile)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	own, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a key of another kind than ciderd makes", keyFile)
	}
	for _, cert := range certs { // the file may hold others beside its own: see the package's rotation
		if own.PublicKey.Equal(cert.PublicKey) {
			return &Authority{cert, own}, nil
		}
	}
	return nil, fmt.Errorf("%s is not the key of %s", keyFile, filepath.Join(dir, AuthorityFile))
}

// Expires returns when the authority does; certificates end with it at the latest.
func (a *Authority) Expires() time.Time { return a.cert.NotAfter }

// Issue makes a pair for these names and addresses, for both ends of a connection, and returns it as PEM. It is valid
// for some days from now, or until the authority expires.
func (a *Authority) Issue(names []string, addresses []net.IP, now time.Time, days int) (cert, key []byte, err error) {
	if len(names) == 0 {
		return nil, nil, errors.New("a certificate needs a name")
	}
	until := now.AddDate(0, 0, days)
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	template, err := newTemplate(names[0], now, until)
	if err != nil {
		return nil, nil, err
	}
	template.DNSNames, template.IPAddresses = names, addresses
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, own.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(own)
	return encodeCertificate(der), key, err
}

// newTemplate returns what all certificates made here share. Serial numbers are random, so that two runs never make
// the same one (RFC 5280, 4.1.2.2).
func newTemplate(name string, from, until time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: from.Add(-backdated).UTC().Truncate(time.Second), NotAfter: until.UTC().Truncate(time.Second),
	}, nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typeCertificate, Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: typeKey, Bytes: der}), nil
}

// Write leaves the authority in a directory, which must be there, and never replaces one.
func (a *Authority) Write(dir string) error {
	key, err := encodeKey(a.key)
	if err != nil {
		return err
	}
	if err := create(filepath.Join(dir, AuthorityKeyFile), key, 0o600); err != nil {
		return err
	}
	return create(filepath.Join(dir, AuthorityFile), encodeCertificate(a.cert.Raw), 0o644)
}

// create writes a file that must not be there yet.
func create(file string, text []byte, mode os.FileMode) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()) // the process's umask is stricter
}

// WritePair writes a pair as NAME.pem and NAME-key.pem into a directory, in place of older ones: each file is whole at
// every moment, and a node that reads in between finds a pair that does not fit, and keeps its own. It returns the two
// files.
func WritePair(dir, name string, cert, key []byte) (certFile, keyFile string, err error) {
	certFile, keyFile = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem")
	if err := replace(keyFile, key, 0o600); err != nil {
		return "", "", err
	}
	return certFile, keyFile, replace(certFile, cert, 0o644)
}

func replace(file string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
