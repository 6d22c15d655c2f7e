package config

import (
	"strings"
	"testing"
)

// Keys about TLS that need others say so, at their own line, and what is complete is taken.
func TestWhatEncryptionNeeds(t *testing.T) {
	const cluster = "cluster \"c\" {\n  node \"a\" { address = \"127.0.0.1\" }\n  # more\n}\n"
	for _, tc := range []struct{ text, want string }{
		{cluster + "tls { cert_file = \"c\" }", "f.hcl:5: tls.cert_file needs tls.key_file"},
		{cluster + "tls { key_file = \"c\" }", "f.hcl:5: tls.key_file needs tls.cert_file"},
		{cluster + "tls { client_cert_file = \"c\" }", "f.hcl:5: tls.client_cert_file needs tls.client_key_file"},
		{cluster + "tls { client_key_file = \"c\" }", "f.hcl:5: tls.client_key_file needs tls.client_cert_file"},
		{cluster + "tls { ca_file = \"c\" }", "f.hcl:5: tls.ca_file needs tls.cert_file"},
		{strings.Replace(cluster, "# more", `peer_tls = "prefer"`, 1), "f.hcl:3: cluster.peer_tls needs tls.ca_file"},
		{strings.Replace(cluster, "# more", `peer_tls = "require"`, 1), "f.hcl:3: cluster.peer_tls needs tls.ca_file"},
		{cluster + "listen { text_tls = \":8443\" }", "f.hcl:5: listen.text_tls needs tls.cert_file"},
		{cluster + "listen { text = \"\" }", "f.hcl:5: clients can reach this node nowhere: give listen.text or listen.text_tls an address"},
		{"listen { text = \"none\" }", "f.hcl:1: clients can reach this node nowhere: give listen.text or listen.text_tls an address"},
		{cluster + "listen { proxy_from = \"10.0.0.1\" }", `f.hcl:5: proxy_from: it is a list: ["…", "…"]`},
		{cluster + "listen { proxy_from = [10] }", "f.hcl:5: proxy_from: in the list: it is written in quotes"},
		{cluster + "listen { proxy_from = [\"10.0.0.0/33\"] }", `f.hcl:5: proxy_from: "10.0.0.0/33" is no IP address and no prefix such as 10.1.0.0/16`},
		{cluster + "listen { proxy_from = [\"lb.example\"] }", `f.hcl:5: proxy_from: "lb.example" is no IP address and no prefix such as 10.1.0.0/16`},
		{cluster + "listen { proxy_from = [\"10.1.2.3/16\"] }", `f.hcl:5: proxy_from: 10.1.2.3/16 has bits behind its prefix: did you mean "10.1.0.0/16"?`},
	} {
		_, err := loadText(machineOf("a", nil), tc.text)
		if err == nil || !strings.HasPrefix(err.Error(), tc.want+"\n") {
			t.Errorf("%s\ngot:  %v\nwant: %s", tc.text, err, tc.want)
		}
	}
}

// Without a word in the file peers are encrypted as soon as there is an authority to know them by.
func TestPeerMode(t *testing.T) {
	const outside = "cluster \"c\" {\n  node \"a\" { address = \"10.0.0.1\" }\n  # more\n}\n"
	const pair = "tls {\n cert_file = \"c\"\n key_file = \"k\"\n"
	for _, tc := range []struct {
		more, tls string
		want      PeerTLS
		fails     bool
	}{
		{"", "", PeerTLSOff, true},
		{"", pair + "}", PeerTLSOff, true},
		{"", pair + "ca_file = \"ca\"\n}", PeerTLSRequire, false},
		{`peer_tls = "off"`, pair + "ca_file = \"ca\"\n}", PeerTLSOff, true},
		{`peer_tls = "prefer"`, pair + "ca_file = \"ca\"\n}", PeerTLSPrefer, true},
		{"peer_tls = \"prefer\"\ninsecure_peers = true", pair + "ca_file = \"ca\"\n}", PeerTLSPrefer, false},
		{`peer_tls = "require"`, pair + "ca_file = \"ca\"\n}", PeerTLSRequire, false},
	} {
		c, err := loadText(machineOf("a", nil), strings.Replace(outside, "# more", tc.more, 1)+tc.tls)
		if (err != nil) != tc.fails || err == nil && c.PeerMode() != tc.want {
			t.Errorf("%q, %q: %v", tc.more, tc.tls, err)
		}
		if err == nil && (len(c.Warnings()) > 0) != (tc.want == PeerTLSPrefer) {
			t.Errorf("%q: warnings %q", tc.more, c.Warnings())
		}
	}
}

// Several nodes on one machine have pairs of their own, and a variable beats them.
func TestPairOfANode(t *testing.T) {
	const file = `cluster "c" {
  node "a" {
    address = "127.0.0.1:7000"
    text_tls = "127.0.0.1:8443"
    cert_file = "a.pem"
    key_file = "a-key.pem"
  }
  node "b" {
    address = "127.0.0.1:7001"
    text = ""
    admin = "127.0.0.1:8082"
    text_tls = "127.0.0.1:8444"
    data_dir = "b"
  }
}
tls {
  ca_file = "ca.pem"
  cert_file = "all.pem"
  key_file = "all-key.pem"
}
`
	a := mustLoad(t, machineOf("a", nil), file)
	if a.TLS != (TLS{CAFile: "ca.pem", CertFile: "a.pem", KeyFile: "a-key.pem"}) || a.TextTLS != "127.0.0.1:8443" || a.Text != ":8080" {
		t.Errorf("a: %+v, %q, %q", a.TLS, a.TextTLS, a.Text)
	}
	b := mustLoad(t, machineOf("b", nil, "CIDERD_TLS_KEY_FILE=elsewhere.pem"), file)
	if b.TLS != (TLS{CAFile: "ca.pem", CertFile: "all.pem", KeyFile: "elsewhere.pem"}) || b.TextTLS != "127.0.0.1:8444" || b.Text != "" {
		t.Errorf("b: %+v, %q, %q", b.TLS, b.TextTLS, b.Text)
	}
	if got := a.Nodes[1].TextAddress; got != "" {
		t.Errorf("clients reach b at %q", got)
	}
	_, err := loadText(machineOf("a", nil), strings.Replace(file, "8444", "8443", 1))
	if err == nil || !strings.Contains(err.Error(), "collides with text_tls of node \"a\"") {
		t.Error(err)
	}
}

func TestPrefixes(t *testing.T) {
	p, err := parsePrefixes("10.0.0.5, ::ffff:10.0.0.6,fd00::/8")
	if err != nil || p != "10.0.0.5/32,10.0.0.6/32,fd00::/8" || len(p.List()) != 3 {
		t.Errorf("%q, %v", p, err)
	}
	if list := Prefixes("").List(); list != nil {
		t.Error(list)
	}
}
