package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// wantedNode returns the name from the flag or variable, and which of them it is.
func (l *loader) wantedNode() (name, origin string) {
	if l.Node != "" {
		return l.Node, "-node"
	}
	return l.env[environNodeName], environNodeName
}

// ownNode returns which of nodes this one is: by flag or variable, host name, or address. It returns nil after
// noting a problem.
func (l *loader) ownNode(nodes []*nodeBlock) *nodeBlock {
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n *nodeBlock) bool { return n.name == "" })
	if len(nodes) == 0 {
		return nil // noted
	}
	if wanted, origin := l.wantedNode(); wanted != "" {
		return l.namedNode(nodes, wanted, origin)
	}
	hostname, err := l.Hostname()
	if err != nil {
		hostname = ""
	}
	if n := byHostname(nodes, hostname); n != nil {
		return n
	}
	here := byInterface(nodes, l.interfaces())
	if len(here) == 1 {
		return here[0]
	}
	why := fmt.Sprintf("none has the host name %q or an address of this machine", hostname)
	if len(here) > 1 {
		why = fmt.Sprintf("none has the host name %q, and %d have an address of this machine", hostname, len(here))
	}
	l.problem("", l.cluster.line, "which of the nodes is this one? %s. Say -node NAME or %s=NAME: %s", why, environNodeName, names(nodes))
	return nil
}

func (l *loader) namedNode(nodes []*nodeBlock, wanted, origin string) *nodeBlock {
	var known []string
	for _, n := range nodes {
		if n.name == wanted {
			return n
		}
		known = append(known, n.name)
	}
	l.problem(origin, 0, "there is no node %q in %s%s The nodes are %s", wanted, l.path, sentence(didYouMean(wanted, known)), names(nodes))
	return nil
}

// sentence adds the end of a sentence to s.
func sentence(s string) string {
	if strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// byHostname compares the whole host name first, then its first label, then both without case.
func byHostname(nodes []*nodeBlock, hostname string) *nodeBlock {
	if hostname == "" {
		return nil
	}
	first, _, _ := strings.Cut(hostname, ".")
	for _, name := range []string{hostname, first} {
		for _, n := range nodes {
			if strings.EqualFold(n.name, name) { // names differ in more than case: see checkNames
				return n
			}
		}
	}
	return nil
}

func byInterface(nodes []*nodeBlock, here []netip.Addr) (found []*nodeBlock) {
	for _, n := range nodes {
		ip, err := netip.ParseAddr(n.address.host)
		if err == nil && slices.Contains(here, ip.Unmap()) {
			found = append(found, n)
		}
	}
	return found
}

// interfaces returns the addresses of this machine; none if they cannot be read.
func (l *loader) interfaces() (ips []netip.Addr) {
	addrs, err := l.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		var ip net.IP
		switch a := a.(type) {
		case *net.IPNet:
			ip = a.IP
		case *net.IPAddr:
			ip = a.IP
		}
		if parsed, ok := netip.AddrFromSlice(ip); ok {
			ips = append(ips, parsed.Unmap())
		}
	}
	return ips
}
