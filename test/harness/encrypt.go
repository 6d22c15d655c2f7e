package harness

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// certificates are what `ciderd tls init` has made for a cluster.
type certificates struct{ dir string }

// MakeCertificates has `ciderd tls init` make an authority and a pair for each node, which the file names from the next
// WriteConfig on.
func (c *Cluster) MakeCertificates() {
	c.t.Helper()
	dir := filepath.Join(c.Dir, "tls")
	c.ciderd("tls", "init", "-config", c.ConfigPath(), "-out", dir)
	c.certificates = &certificates{dir}
}

// RenewCertificate puts a new pair in the place of a node's.
func (c *Cluster) RenewCertificate(n *Node) {
	c.t.Helper()
	c.ciderd("tls", "renew", "-ca", c.certificates.dir, n.Name)
}

// Certificate returns the files of a node's pair.
func (c *Cluster) Certificate(n *Node) (certFile, keyFile string) {
	return filepath.Join(c.certificates.dir, n.Name+".pem"), filepath.Join(c.certificates.dir, n.Name+"-key.pem")
}

// Authority returns the file of the authority by which nodes know each other.
func (c *Cluster) Authority() string { return filepath.Join(c.certificates.dir, "ca.pem") }

func (c *Cluster) ciderd(words ...string) {
	c.t.Helper()
	cmd := exec.Command(Binary(c.t), words...)
	cmd.Env = CleanEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("ciderd %s: %v: %s", strings.Join(words, " "), err, out)
	}
}

// PeerTLS has the file say how nodes speak to each other, from the next WriteConfig on: off, prefer or require; empty:
// nothing.
func (c *Cluster) PeerTLS(mode string) { c.peerTLS = mode }

func (c *Cluster) peerLine() string {
	if c.peerTLS == "" {
		return ""
	}
	return fmt.Sprintf("  peer_tls = %q\n", c.peerTLS)
}

// pairLines are a node's own keys.
func (c *Cluster) pairLines(n *Node) string {
	if c.certificates == nil {
		return ""
	}
	certFile, keyFile := c.Certificate(n)
	return fmt.Sprintf("    text_tls = %q\n    cert_file = %q\n    key_file = %q\n", n.TextTLS, certFile, keyFile)
}

func (c *Cluster) tlsBlock() string {
	if c.certificates == nil {
		return ""
	}
	return fmt.Sprintf("tls { ca_file = %q }\n", c.Authority())
}
