package certs

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newAuthority(t *testing.T) *Authority {
	t.Helper()
	a, err := NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// issue writes a pair for a name into dir, as of a moment.
func issue(t *testing.T, a *Authority, dir, name string, now time.Time, days int) (certFile, keyFile string) {
	t.Helper()
	cert, key, err := a.Issue([]string{name, "host.example"}, []net.IP{net.IPv4(127, 0, 0, 1)}, now, days)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, err = WritePair(dir, name, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}

// What is issued is trusted by who trusts the authority, for both ends of a connection, and by nobody else.
func TestIssued(t *testing.T) {
	dir, a, foreign := t.TempDir(), newAuthority(t), newAuthority(t)
	for _, x := range []*Authority{a, foreign} {
		if err := x.Write(dir); (err == nil) != (x == a) {
			t.Fatalf("writing an authority over another: %v", err)
		}
	}
	pool, err := OpenPool(filepath.Join(dir, AuthorityFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		by      *Authority
		trusted bool
	}{{a, true}, {foreign, false}} {
		pair, err := OpenPair(issue(t, c.by, t.TempDir(), "n1", time.Now(), 10))
		if err != nil {
			t.Fatal(err)
		}
		leaf := pair.Certificate().Leaf
		for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			_, err = leaf.Verify(x509.VerifyOptions{Roots: pool.Roots(), DNSName: "n1", KeyUsages: []x509.ExtKeyUsage{usage}})
			if (err == nil) != c.trusted {
				t.Errorf("trusted: want %v, usage %v: %v", c.trusted, usage, err)
			}
		}
		if left := time.Until(leaf.NotAfter); left < 9*24*time.Hour || left > 10*24*time.Hour {
			t.Errorf("it is valid for %v", left)
		}
		if leaf.IPAddresses[0].String() != "127.0.0.1" || len(leaf.DNSNames) != 2 || leaf.IsCA {
			t.Errorf("%v, %v, authority: %v", leaf.DNSNames, leaf.IPAddresses, leaf.IsCA)
		}
	}
	again, err := ReadAuthority(dir)
	if err != nil || !again.cert.Equal(a.cert) {
		t.Fatalf("the authority read again: %v", err)
	}
	if _, _, err := a.Issue(nil, nil, time.Now(), 1); err == nil {
		t.Error("a certificate without a name")
	}
}

// No certificate outlives its authority.
func TestIssuedEndsWithAuthority(t *testing.T) {
	a := newAuthority(t)
	pair, err := OpenPair(issue(t, a, t.TempDir(), "n1", time.Now(), 100*365))
	if err != nil || !pair.Certificate().Leaf.NotAfter.Equal(a.Expires()) {
		t.Fatalf("%v: until %v, the authority until %v", err, pair.Certificate().Leaf.NotAfter, a.Expires())
	}
}

// Whoever may read the directory may not read a key; replacing a pair keeps that.
func TestModes(t *testing.T) {
	dir, a := t.TempDir(), newAuthority(t)
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		issue(t, a, dir, "n1", time.Now(), 10)
		for name, want := range map[string]os.FileMode{"ca.pem": 0o644, "ca-key.pem": 0o600, "n1.pem": 0o644, "n1-key.pem": 0o600} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 4 {
		t.Errorf("left behind: %v", files)
	}
}

// A pair that works is replaced by one that works, and by nothing else.
func TestReload(t *testing.T) {
	dir, a := t.TempDir(), newAuthority(t)
	certFile, keyFile := issue(t, a, dir, "n1", time.Now(), 10)
	pair, err := OpenPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	first := pair.Certificate()
	if changed, err := pair.Reload(); changed || err != nil || pair.Certificate() != first {
		t.Fatalf("the same files: changed %v, %v", changed, err)
	}
	otherCert, otherKey := issue(t, a, t.TempDir(), "n1", time.Now(), 10)
	oldCert, oldKey := issue(t, a, t.TempDir(), "n1", time.Now().AddDate(0, 0, -20), 10)
	newCert, newKey := issue(t, a, t.TempDir(), "n1", time.Now().AddDate(0, 0, 5), 10)
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ cert, key, want string }{
		{otherCert, keyFile, "are no pair"},
		{oldCert, oldKey, "has expired on"},
		{newCert, newKey, "not valid before"},
		{garbage, keyFile, "are no pair"},
		{filepath.Join(dir, "nowhere"), keyFile, "no such file"},
		{certFile, filepath.Join(dir, "nowhere"), "no such file"},
	} {
		broken := &Pair{certFile: c.cert, keyFile: c.key, now: time.Now}
		broken.current.Store(first)
		if changed, err := broken.Reload(); changed || err == nil || !strings.Contains(err.Error(), c.want) || broken.Certificate() != first {
			t.Errorf("%s: changed %v, %v", c.want, changed, err)
		}
		if _, err := OpenPair(c.cert, c.key); err == nil {
			t.Errorf("%s: opened", c.want)
		}
	}
	for from, to := range map[string]string{otherCert: certFile, otherKey: keyFile} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if changed, err := pair.Reload(); !changed || err != nil || pair.Certificate() == first {
		t.Errorf("another pair: changed %v, %v", changed, err)
	}
}

// A key that everybody can read is named.
func TestExposed(t *testing.T) {
	certFile, keyFile := issue(t, newAuthority(t), t.TempDir(), "n1", time.Now(), 10)
	pair, err := OpenPair(certFile, keyFile)
	if err != nil || pair.Exposed() != nil {
		t.Fatalf("%v, %v", err, pair.Exposed())
	}
	if err := os.Chmod(keyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := pair.Exposed(); err == nil || !strings.Contains(err.Error(), keyFile) {
		t.Error(err)
	}
}

// Several authorities are trusted at a time, so that one can take another's place; a file that does not work changes
// nothing.
func TestPool(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ca.pem")
	var leaves []*x509.Certificate
	var texts [][]byte
	for range 2 {
		a := newAuthority(t)
		pair, err := OpenPair(issue(t, a, t.TempDir(), "n1", time.Now(), 10))
		if err != nil {
			t.Fatal(err)
		}
		leaves, texts = append(leaves, pair.Certificate().Leaf), append(texts, encodeCertificate(a.cert.Raw))
	}
	both := append(append([]byte("# old and new\n"), texts[0]...), texts[1]...)
	if err := os.WriteFile(file, texts[0], 0o600); err != nil {
		t.Fatal(err)
	}
	pool, err := OpenPool(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		text    []byte
		changed bool
		works   bool
		trusted []bool
	}{
		{texts[0], false, true, []bool{true, false}},
		{both, true, true, []bool{true, true}},
		{nil, false, false, []bool{true, true}},
		{encodeCertificate(leaves[0].Raw), false, false, []bool{true, true}}, // no authority
		{texts[1], true, true, []bool{false, true}},
	} {
		if err := os.WriteFile(file, step.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if changed, err := pool.Reload(); changed != step.changed || (err == nil) != step.works {
			t.Errorf("%.40q: changed %v, %v", step.text, changed, err)
		}
		for i, leaf := range leaves {
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool.Roots()}); (err == nil) != step.trusted[i] {
				t.Errorf("%.40q: leaf %d: %v", step.text, i, err)
			}
		}
	}
	if left := time.Until(pool.Expires()); left < (AuthorityYears*365-1)*24*time.Hour {
		t.Errorf("it expires in %v", left)
	}
}

// An authority's key is found beside several authorities, and another's is not taken for it.
func TestReadAuthority(t *testing.T) {
	dir, a, old := t.TempDir(), newAuthority(t), newAuthority(t)
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, AuthorityFile)
	for _, c := range []struct {
		text  []byte
		works bool
	}{
		{append(encodeCertificate(old.cert.Raw), encodeCertificate(a.cert.Raw)...), true},
		{encodeCertificate(old.cert.Raw), false},
		{nil, false},
	} {
		if err := os.WriteFile(file, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadAuthority(dir)
		if (err == nil) != c.works || err == nil && !got.cert.Equal(a.cert) {
			t.Errorf("want %v: %v", c.works, err)
		}
	}
}

// The pair serves a handshake as it is.
func TestHandshake(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	pool, err := OpenPool(filepath.Join(dir, AuthorityFile))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := OpenPair(issue(t, a, dir, "n1", time.Now(), 10))
	if err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	server := tls.Server(there, &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.Certificate(), nil },
	})
	go func() { _ = server.Handshake() }()
	client := tls.Client(here, &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool.Roots(), ServerName: "n1"})
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	here.Close()
	there.Close()
}
