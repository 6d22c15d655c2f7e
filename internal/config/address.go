package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// endpoint is a host, which may be empty, and a port.
type endpoint struct {
	host string
	port int
}

func (e endpoint) String() string { return net.JoinHostPort(e.host, strconv.Itoa(e.port)) }

// everywhere reports whether listening on e means listening on all interfaces.
func (e endpoint) everywhere() bool {
	ip, err := netip.ParseAddr(e.host)
	return e.host == "" || err == nil && ip.IsUnspecified()
}

// parseListen parses host:port or :port. Port 0 means any free one.
func parseListen(text string) (endpoint, error) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		if _, err := strconv.ParseUint(text, 10, 16); err == nil {
			return endpoint{}, fmt.Errorf("%q is not an address: did you mean %q?", text, ":"+text)
		}
		return endpoint{}, fmt.Errorf("%q is not an address: write host:port, or :port for all interfaces", text)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return endpoint{}, fmt.Errorf("%q has a bad port: a number from 0 to 65535", text)
	}
	if host != "" && !validHost(host) {
		return endpoint{}, fmt.Errorf("%q has a bad host: an IP address or a host name", text)
	}
	return endpoint{host: host, port: int(port)}, nil
}

// parseNodeAddress parses what other nodes dial: host or host:port. Port 0 in the result means that none was given.
func parseNodeAddress(text string) (endpoint, error) {
	if ip, err := netip.ParseAddr(unbracketed(text)); err == nil {
		text = net.JoinHostPort(ip.String(), "")
	} else if !strings.Contains(text, ":") {
		text += ":"
	}
	host, portText, err := net.SplitHostPort(text)
	if ip, bad := netip.ParseAddr(host); err == nil && bad == nil && ip.Zone() != "" {
		return endpoint{}, fmt.Errorf("%s has the zone %%%s, which means an interface of one machine only: write an address that all nodes can dial", host, ip.Zone())
	}
	if err != nil || !validHost(host) {
		return endpoint{}, fmt.Errorf("%q is not a node's address: write host or host:port, as other nodes reach it", strings.TrimSuffix(text, ":"))
	}
	e := endpoint{host: strings.ToLower(host)}
	if e.everywhere() {
		return endpoint{}, fmt.Errorf("%s means all interfaces: write the address at which other nodes reach this one", host)
	}
	if portText == "" {
		return e, nil
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return endpoint{}, fmt.Errorf("%q has a bad port: a number from 1 to 65535", text)
	}
	e.port = int(port)
	return e, nil
}

// unbracketed returns an address without the brackets around all of it: a zone may hold anything, including a
// bracket and a port.
func unbracketed(text string) string {
	if len(text) > 1 && text[0] == '[' && text[len(text)-1] == ']' {
		return text[1 : len(text)-1]
	}
	if strings.ContainsAny(text, "[]") {
		return ""
	}
	return text
}

// validHost reports whether host can be an IP address or a name. It is not looked up.
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return len(host) <= 253 && nameBytes(host)
}

// validName reports whether name can be a cluster's or a node's.
func validName(name string) bool { return len(name) <= maxNameLen && nameBytes(name) }

func nameBytes(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != ""
}

// loopback reports whether host never leaves this machine.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
