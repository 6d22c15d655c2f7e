package cli

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ciderd/internal/certs"
	"ciderd/internal/config"
)

// TLS are the verbs about certificates.
func TLS() []Verb {
	return []Verb{
		{
			Name: "tls init", Args: "-out DIR", Summary: "make an authority, and a certificate for each node",
			Text: `It makes ca.pem, ca-key.pem, and NODE.pem and NODE-key.pem for each node of the
file (-config). Each certificate has the node's name and addresses, and is valid
for -days days (365). It says which files go to which machine.`,
			Flags: []Flag{{"out", "DIR"}, {"days", "N"}}, Run: initTLS,
		},
		{
			Name: "tls renew", Args: "-ca DIR NODE...", Summary: "make new certificates for some nodes", Min: 1, Max: mostNodes,
			Text: `DIR is what tls init has made. A node of the file (-config) gets its name and
addresses from there, another one those of its old certificate in DIR.`,
			Flags: []Flag{{"ca", "DIR"}, {"days", "N"}}, Run: renewTLS,
		},
		{
			Name: "tls show", Args: "FILE...", Summary: "show certificates, and what would not work", Min: 1, Max: mostNodes,
			Group: OfTheProgram, Facts: true,
			Text: `Name an authority's file too, and the others are checked against it. A key
beside a certificate, NAME-key.pem for NAME.pem, is checked as well. The exit
code is 1 if a certificate would not work.`,
			Run: showTLS,
		},
	}
}

// mostNodes is how many words a verb takes at most.
const mostNodes = 1000

func initTLS(c *Call) error {
	dir, days, err := c.tlsFlags("out")
	if err != nil {
		return err
	}
	nodes, cluster, err := c.tlsNodes()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, certs.AuthorityFile)); err == nil {
		return fmt.Errorf("%s has an authority already: ciderd tls renew -ca %s NODE makes new certificates with it", dir, dir)
	}
	now := time.Now()
	ca, err := certs.NewAuthority(cluster, now)
	if err == nil {
		err = ca.Write(dir)
	}
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := n.issue(c.Out, ca, dir, now, days); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.Out, "%s goes to no machine: keep it where it is safe, ciderd tls renew needs it\n", filepath.Join(dir, certs.AuthorityKeyFile))
	return nil
}

func renewTLS(c *Call) error {
	dir, days, err := c.tlsFlags("ca")
	if err != nil {
		return err
	}
	ca, err := certs.ReadAuthority(dir)
	if err != nil {
		return err
	}
	var known []tlsNode
	if c.Given("config") || os.Getenv("CIDERD_CONFIG") != "" {
		if known, _, err = c.tlsNodes(); err != nil {
			return err
		}
	}
	var nodes []tlsNode
	for _, name := range c.Words { // all of them, before anything is made
		i := slices.IndexFunc(known, func(n tlsNode) bool { return n.name == name })
		if i >= 0 {
			nodes = append(nodes, known[i])
			continue
		}
		n, err := issued(dir, name)
		if err != nil {
			return fmt.Errorf("%s is no node of a file (-config), and has no old certificate: %w", name, err)
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		if err := n.issue(c.Out, ca, dir, time.Now(), days); err != nil {
			return err
		}
	}
	return nil
}

// tlsFlags returns the directory that a flag names, and how many days a certificate is valid.
func (c *Call) tlsFlags(flag string) (dir string, days int, err error) {
	if dir = c.values[flag]; dir == "" {
		return "", 0, Usage("-%s DIR is needed", flag)
	}
	days = certs.NodeDays
	if text, given := c.values["days"]; given {
		if days, err = strconv.Atoi(text); err != nil || days < 1 || days > certs.AuthorityYears*365 {
			return "", 0, Usage("-days %q is no number from 1 to %d", text, certs.AuthorityYears*365)
		}
	}
	return dir, days, nil
}

// tlsNode is what a node's certificate is made for.
type tlsNode struct {
	name      string
	names     []string // its name, and others of its machine
	addresses []net.IP
	machine   string // what to call it for people; empty: unknown
}

// tlsNodes returns the nodes of the file.
func (c *Call) tlsNodes() (nodes []tlsNode, cluster string, err error) {
	o := c.Options()
	o.AnyNode = true
	f, err := config.Load(o)
	if err != nil {
		return nil, "", &configError{err}
	}
	for _, n := range f.Nodes {
		t := tlsNode{name: n.Name, names: []string{n.Name}, machine: host(n.PeerAddress)}
		for _, address := range []string{n.PeerAddress, n.TextAddress} {
			t.add(host(address))
		}
		nodes = append(nodes, t)
	}
	for i := range nodes { // a certificate speaks for each of its names
		for _, other := range nodes {
			if other.name != nodes[i].name && slices.ContainsFunc(nodes[i].names, func(s string) bool { return strings.EqualFold(s, other.name) }) {
				return nil, "", fmt.Errorf("the address of node %q is the name of node %q, and its certificate would speak for both: write an address that is no node's name",
					nodes[i].name, other.name)
			}
		}
	}
	return nodes, f.ClusterName, nil
}

// host returns the host of host:port; empty: there is none.
func host(address string) string {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return h
}

// add adds a host; loopback stands for all that it is called.
func (n *tlsNode) add(host string) {
	ip := net.ParseIP(host)
	switch {
	case host == "":
	case host == "localhost" || ip != nil && ip.IsLoopback():
		n.addName("localhost")
		n.addAddress(net.IPv4(127, 0, 0, 1))
		n.addAddress(net.IPv6loopback)
		n.addAddress(ip)
	case ip != nil:
		n.addAddress(ip)
	default:
		n.addName(host)
	}
}

func (n *tlsNode) addName(name string) {
	if !slices.Contains(n.names, name) {
		n.names = append(n.names, name)
	}
}

func (n *tlsNode) addAddress(ip net.IP) {
	if ip != nil && !slices.ContainsFunc(n.addresses, ip.Equal) {
		n.addresses = append(n.addresses, ip)
	}
}

// issued returns what the certificate of a node in a directory was made for.
func issued(dir, name string) (n tlsNode, err error) {
	old, err := certs.Read(filepath.Join(dir, name+".pem"))
	if err != nil {
		return n, err
	}
	if !slices.Contains(old[0].DNSNames, name) {
		return n, errors.New("it is another's")
	}
	n = tlsNode{name: name, names: []string{name}, addresses: old[0].IPAddresses}
	for _, other := range old[0].DNSNames {
		n.addName(other)
	}
	return n, nil
}

func (n *tlsNode) issue(w io.Writer, ca *certs.Authority, dir string, now time.Time, days int) error {
	cert, key, err := ca.Issue(n.names, n.addresses, now, days)
	if err != nil {
		return err
	}
	certFile, keyFile, err := certs.WritePair(dir, n.name, cert, key)
	if err != nil {
		return err
	}
	machine := "the machine of " + n.name
	if n.machine != "" {
		machine += ", " + n.machine
	}
	fmt.Fprintf(w, "to %s: %s, %s and %s\n", machine, filepath.Join(dir, certs.AuthorityFile), certFile, keyFile)
	return nil
}

func showTLS(c *Call) error {
	all, err := certs.Inspect(c.Words, time.Now())
	if err != nil {
		return err
	}
	err = c.Print(all, func(w io.Writer) error { return writeCertificates(w, all) })
	if err == nil && slices.ContainsFunc(all, func(f certs.Facts) bool { return len(f.Broken) > 0 }) {
		return ExitError(ExitFailed)
	}
	return err
}

func writeCertificates(w io.Writer, all []certs.Facts) error {
	for i, f := range all {
		if i > 0 {
			fmt.Fprintln(w)
		}
		what := "certificate"
		if f.Authority {
			what = "authority"
		}
		fmt.Fprintf(w, "%s: %s\n", f.File, what)
		for _, line := range [][2]string{
			{"subject", f.Subject}, {"issuer", f.Issuer}, {"names", strings.Join(f.Names, ", ")},
			{"addresses", strings.Join(f.Addresses, ", ")}, {"key", f.Key},
			{"valid", fmt.Sprintf("%s to %s", f.NotBefore.UTC().Format(time.DateOnly), f.NotAfter.UTC().Format(time.DateOnly))},
			{"would not work", strings.Join(f.Broken, "; ")}, {"warning", strings.Join(f.Warnings, "; ")},
		} {
			if line[1] != "" {
				fmt.Fprintf(w, "  %-15s %s\n", line[0], line[1])
			}
		}
	}
	return nil
}
