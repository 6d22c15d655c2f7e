package cli

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ciderd/internal/certs"
)

const threeNodes = `cluster "c" {
  insecure_peers = true
  node "n1" { address = "10.0.0.11" }
  node "n2" { address = "n2.example" }
  node "n3" { address = "127.0.0.1" }
}
`

// runTLS does what args say, and returns the exit code and what was printed.
func runTLS(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	var out strings.Builder
	p := &Program{Verbs: TLS(), Out: &out, Err: &out}
	return p.Main(args), out.String()
}

// Every node of the file gets what its certificate needs, whatever machine this is; and later a new one.
func TestMakeCertificates(t *testing.T) {
	dir := t.TempDir()
	file, out := filepath.Join(dir, "c.hcl"), filepath.Join(dir, "out")
	if err := os.WriteFile(file, []byte(threeNodes), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := runTLS(t, "tls", "init", "-config", file, "-out", out); code != ExitOK || strings.Count(said, "to the machine of n") != 3 || !strings.Contains(said, "ca-key.pem goes to no machine") {
		t.Fatalf("%d: %s", code, said)
	}
	first := certOf(t, out, "n2")
	for name, want := range map[string][2][]string{
		"n1": {{"n1"}, {"10.0.0.11"}},
		"n2": {{"n2", "n2.example"}, nil},
		"n3": {{"n3", "localhost"}, {"127.0.0.1", "::1"}},
	} {
		c := certOf(t, out, name)
		var addresses []string
		for _, ip := range c.IPAddresses {
			addresses = append(addresses, ip.String())
		}
		if !slices.Equal(c.DNSNames, want[0]) || !slices.Equal(addresses, want[1]) {
			t.Errorf("%s: %q, %q", name, c.DNSNames, addresses)
		}
	}
	if code, said := runTLS(t, "tls", "init", "-config", file, "-out", out); code != ExitFailed || !strings.Contains(said, "has an authority already") {
		t.Errorf("again: %d, %s", code, said)
	}
	if code, said := runTLS(t, "tls", "renew", "-ca", out, "-days", "5", "n2"); code != ExitOK {
		t.Fatalf("%d: %s", code, said)
	}
	again := certOf(t, out, "n2")
	if again.Equal(first) || !slices.Equal(again.DNSNames, first.DNSNames) || !again.NotAfter.Before(first.NotAfter) {
		t.Errorf("renewed: %v, %v", again.DNSNames, again.NotAfter)
	}
	if code, said := runTLS(t, "tls", "show", filepath.Join(out, "ca.pem"), filepath.Join(out, "n2.pem")); code != ExitOK || !strings.Contains(said, "it expires in 4 days") {
		t.Errorf("%d: %s", code, said)
	}
	// A node that is new in the file needs the file.
	more := strings.Replace(threeNodes, "}\n}", "}\n  node \"n4\" { address = \"10.0.0.14\" }\n}", 1)
	if code, said := runTLS(t, "tls", "renew", "-ca", out, "n1", "n4"); code != ExitFailed || !strings.Contains(said, "n4 is no node of a file") {
		t.Errorf("%d: %s", code, said)
	}
	if err := os.WriteFile(file, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := runTLS(t, "tls", "renew", "-ca", out, "-config", file, "n4"); code != ExitOK || certOf(t, out, "n4").IPAddresses[0].String() != "10.0.0.14" {
		t.Errorf("%d: %s", code, said)
	}
}

func certOf(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	found, err := certs.Read(filepath.Join(dir, name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// No certificate speaks for two nodes.
func TestNoCertificateForTwo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.hcl")
	if err := os.WriteFile(file, []byte(strings.Replace(threeNodes, "n2.example", "N1", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := runTLS(t, "tls", "init", "-config", file, "-out", filepath.Join(dir, "out")); code != ExitFailed || !strings.Contains(said, `the address of node "n2" is the name of node "n1"`) {
		t.Errorf("%d: %s", code, said)
	}
}

// Wrong calls make nothing.
func TestWrongTLSCalls(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		code int
		args []string
	}{
		{ExitUsage, []string{"tls", "init"}},
		{ExitUsage, []string{"tls", "init", "-out", dir, "-days", "0"}},
		{ExitUsage, []string{"tls", "init", "-out", dir, "-days", "x"}},
		{ExitUsage, []string{"tls", "renew", "n1"}},
		{ExitUsage, []string{"tls", "renew", "-ca", dir}},
		{ExitFailed, []string{"tls", "renew", "-ca", dir, "n1"}},
		{ExitUsage, []string{"tls", "show"}},
		{ExitFailed, []string{"tls", "show", filepath.Join(dir, "nothing.pem")}},
		{ExitConfig, []string{"tls", "init", "-config", filepath.Join(dir, "nothing.hcl"), "-out", dir}},
	} {
		if code, said := runTLS(t, c.args...); code != c.code {
			t.Errorf("%q: %d, %s", c.args, code, said)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
