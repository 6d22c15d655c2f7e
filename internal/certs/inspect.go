package certs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Soon is how long before its end a certificate gets a warning.
const Soon = 30 * 24 * time.Hour

// Facts are what is worth knowing of a certificate.
type Facts struct {
	File      string
	Subject   string
	Issuer    string
	Names     []string // of which one must be the node's
	Addresses []string
	Authority bool
	NotBefore time.Time
	NotAfter  time.Time
	Key       string   // its kind
	Broken    []string // why it would not work
	Warnings  []string
}

// Inspect returns the facts of all certificates in some files. Those of nodes are checked against the authorities
// among them, if there are any, and against a key beside them, NAME-key.pem for NAME.pem.
func Inspect(files []string, now time.Time) (all []Facts, err error) {
	pool := x509.NewCertPool()
	var found [][]*x509.Certificate
	authorities := false
	for _, file := range files {
		certs, err := Read(file)
		if err != nil {
			return nil, err
		}
		found = append(found, certs)
		for _, c := range certs {
			if c.IsCA {
				authorities = true
				pool.AddCert(c)
			}
		}
	}
	for i, file := range files {
		for _, c := range found[i] {
			f := facts(c, now)
			f.File = file
			if !c.IsCA && authorities {
				f.check(c, pool, now)
			}
			if c == found[i][0] && !c.IsCA {
				f.checkKey()
			}
			all = append(all, f)
		}
	}
	return all, nil
}

func facts(c *x509.Certificate, now time.Time) Facts {
	f := Facts{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Names: append([]string{}, c.DNSNames...), Authority: c.IsCA,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Key: kind(c), Addresses: []string{}, Broken: []string{}, Warnings: []string{},
	}
	for _, ip := range c.IPAddresses {
		f.Addresses = append(f.Addresses, ip.String())
	}
	switch {
	case now.After(c.NotAfter):
		f.broken("it has expired")
	case now.Before(c.NotBefore):
		f.broken("it is not valid yet")
	case c.NotAfter.Sub(now) < Soon:
		f.Warnings = append(f.Warnings, fmt.Sprintf("it expires in %d days", int(c.NotAfter.Sub(now).Hours()/24)))
	}
	if c.IsCA {
		return f
	}
	if len(c.DNSNames) == 0 {
		f.broken("it has no DNS name: other nodes know a node by that, and by nothing else")
	}
	if slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.Contains(name, "*") }) {
		f.Warnings = append(f.Warnings, "a wildcard stands for no node")
	}
	for usage, what := range map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "accept", x509.ExtKeyUsageClientAuth: "open"} {
		if len(c.ExtKeyUsage) > 0 && !slices.Contains(c.ExtKeyUsage, usage) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
			f.Warnings = append(f.Warnings, "a node cannot "+what+" connections with it: its extended key usage does not allow that")
		}
	}
	slices.Sort(f.Warnings)
	return f
}

func (f *Facts) broken(why string) { f.Broken = append(f.Broken, why) }

// check says whether the authorities vouch for a certificate.
func (f *Facts) check(c *x509.Certificate, pool *x509.CertPool, now time.Time) {
	_, err := c.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil && len(f.Broken) == 0 {
		f.broken("none of the authorities here vouches for it: " + err.Error())
	}
}

// checkKey looks at the key beside a certificate, if there is one.
func (f *Facts) checkKey() {
	key := KeyBeside(f.File)
	if _, err := os.Stat(key); err != nil {
		return
	}
	if _, err := tls.LoadX509KeyPair(f.File, key); err != nil {
		f.broken(fmt.Sprintf("%s is not its key: %v", key, err))
	}
	if err := exposed(key); err != nil {
		f.Warnings = append(f.Warnings, err.Error())
	}
}

// KeyBeside returns the name of the key's file that belongs to a certificate's.
func KeyBeside(certFile string) string { return strings.TrimSuffix(certFile, ".pem") + "-key.pem" }

func kind(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return c.PublicKeyAlgorithm.String()
}
