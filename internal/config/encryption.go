package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// PeerTLS says whether connections between nodes are encrypted.
type PeerTLS int

const (
	PeerTLSAuto    PeerTLS = iota // PeerTLSRequire where tls.ca_file is there, else PeerTLSOff
	PeerTLSOff                    // no connection is
	PeerTLSPrefer                 // those with nodes that can; it protects from nobody
	PeerTLSRequire                // every connection is
)

var peerTLSWords = []option[PeerTLS]{{"auto", PeerTLSAuto}, {"off", PeerTLSOff}, {"prefer", PeerTLSPrefer}, {"require", PeerTLSRequire}}

// PeerMode returns whether connections between nodes are encrypted, never PeerTLSAuto.
func (c *Config) PeerMode() PeerTLS {
	switch {
	case c.PeerTLS != PeerTLSAuto:
		return c.PeerTLS
	case c.TLS.CAFile != "":
		return PeerTLSRequire
	}
	return PeerTLSOff
}

// ClientPair returns the files of the clients' ports' certificate and key; empty: there are none.
func (t *TLS) ClientPair() (certFile, keyFile string) {
	if t.ClientCertFile != "" {
		return t.ClientCertFile, t.ClientKeyFile
	}
	return t.CertFile, t.KeyFile
}

// Prefixes is a set of addresses in its canonical form: prefixes with commas between them.
type Prefixes string

// List returns the prefixes.
func (p Prefixes) List() (list []netip.Prefix) {
	for text := range strings.SplitSeq(string(p), ",") {
		if prefix, err := netip.ParsePrefix(text); err == nil { // the set was parsed from such
			list = append(list, prefix)
		}
	}
	return list
}

// parsePrefixes parses addresses and prefixes with commas between them.
func parsePrefixes(text string) (Prefixes, error) {
	var words []string
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		prefix, err := netip.ParsePrefix(word)
		if address, single := netip.ParseAddr(word); single == nil && address.Zone() == "" {
			address = address.Unmap()
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		switch {
		case err != nil:
			return "", fmt.Errorf("%q is no IP address and no prefix such as 10.1.0.0/16", word)
		case prefix != prefix.Masked():
			return "", fmt.Errorf("%s has bits behind its prefix: did you mean %q?", prefix, prefix.Masked())
		}
		words = append(words, prefix.String())
	}
	return Prefixes(strings.Join(words, ",")), nil
}

// Hosts is a set of host names: in lower case, with commas between them.
type Hosts string

// List returns the names.
func (h Hosts) List() []string {
	return strings.FieldsFunc(string(h), func(r rune) bool { return r == ',' })
}

// parseHosts parses names with commas between them.
func parseHosts(text string) (Hosts, error) {
	var words []string
	for word := range strings.SplitSeq(text, ",") {
		word = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(word), "."))
		if !hostName.MatchString(word) {
			return "", fmt.Errorf("%q is no host name such as status.example (without a port)", word)
		}
		words = append(words, word)
	}
	return Hosts(strings.Join(words, ",")), nil
}

var hostName = regexp.MustCompile(`^[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*$`)

// checkEncryption checks what the keys about TLS need of each other.
func checkEncryption(l *loader) {
	t := &l.cfg.TLS
	for _, pair := range []struct{ has, needs, key, missing string }{
		{t.CertFile, t.KeyFile, "tls.cert_file", "tls.key_file"},
		{t.KeyFile, t.CertFile, "tls.key_file", "tls.cert_file"},
		{t.ClientCertFile, t.ClientKeyFile, "tls.client_cert_file", "tls.client_key_file"},
		{t.ClientKeyFile, t.ClientCertFile, "tls.client_key_file", "tls.client_cert_file"},
		{t.CAFile, t.CertFile, "tls.ca_file", "tls.cert_file"},
	} {
		if pair.has != "" && pair.needs == "" {
			wants(l, pair.key, pair.missing)
		}
	}
	if mode := l.cfg.PeerMode(); !l.cfg.Single && mode != PeerTLSOff && t.CAFile == "" {
		wants(l, "cluster.peer_tls", "tls.ca_file")
	}
	cert, _ := t.ClientPair()
	switch {
	case l.cfg.TextTLS != "" && cert == "":
		wants(l, "listen.text_tls", "tls.cert_file")
	case l.cfg.RedisTLS != "" && cert == "":
		wants(l, "listen.redis_tls", "tls.cert_file")
	case l.cfg.AdminTLS && cert == "":
		wants(l, "listen.admin_tls", "tls.cert_file")
	case l.cfg.TextTLS+l.cfg.Text+l.cfg.RedisTLS+l.cfg.Redis == "":
		where, line := l.cfg.place("listen.text")
		l.problem(where, line, `clients can reach this node nowhere: give listen.text or listen.text_tls an address`)
	}
}

// wants notes that one key needs another.
func wants(l *loader, key, missing string) {
	where, line := l.cfg.place(key)
	l.problem(where, line, "%s needs %s", key, missing)
}

// place returns where a key was set, for a problem: a variable, or a line of the file.
func (c *Config) place(key string) (where string, line int) {
	o := c.origins[key]
	if o.line == 0 {
		return o.where, 0
	}
	return "", o.line
}
