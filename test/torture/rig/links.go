package rig

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
)

// A Link is a node's namespace, its one interface, and the rules that cut it.
type Link struct {
	namespace string
	host      string // last byte of the address
	plain     bool   // it cannot be cut: there is no iptables
}

func (l *Link) address() string { return subnet + l.host }

// port is the hub's end of it.
func (l *Link) port() string { return "n" + l.host }

// OpenHub gives the hub its bridge. This process is inside the hub.
func OpenHub() error {
	return errors.Join(
		Command("ip", "link", "set", "lo", "up"),
		Command("ip", "link", "add", "br0", "type", "bridge"),
		Command("ip", "addr", "add", subnet+hubHost+"/24", "dev", "br0"),
		Command("ip", "link", "set", "br0", "up"),
	)
}

// newLink makes the namespace of node i (from 1) and plugs it in.
func newLink(i int, plain bool) (*Link, error) {
	l := &Link{namespace: Prefix + "n" + strconv.Itoa(i), host: strconv.Itoa(i), plain: plain}
	port := l.port()
	steps := [][]string{
		{"ip", "netns", "add", l.namespace},
		{"ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", l.namespace},
		{"ip", "link", "set", port, "master", "br0", "up"},
		{"ip", "-n", l.namespace, "link", "set", "lo", "up"},
		{"ip", "-n", l.namespace, "addr", "add", l.address() + "/24", "dev", "eth0"},
		{"ip", "-n", l.namespace, "link", "set", "eth0", "up"},
	}
	for _, s := range steps {
		if err := Command(s[0], s[1:]...); err != nil {
			return nil, err
		}
	}
	if plain {
		return l, nil
	}
	// Rules go into chains of their own, so that healing is one flush.
	return l, errors.Join(l.iptables("-N", "CUT"), l.iptables("-A", "INPUT", "-j", "CUT"))
}

// within is the command line that runs a program in the namespace: nsenter replaces itself, so the
// program has the pid that was started, and sees the machine's mounts as they are.
func (l *Link) within() []string {
	return []string{"--net=" + filepath.Join(netnsDir, l.namespace), "--"}
}

func (l *Link) iptables(args ...string) error {
	return Command("nsenter", append(l.within(), append([]string{"iptables", "-w"}, args...)...)...)
}

// Heal lets everything through again.
func (l *Link) Heal() error {
	if l.plain {
		return nil
	}
	return l.iptables("-F", "CUT")
}

// Deaf drops all that comes from other. The other way stays open.
func (l *Link) Deaf(other *Link) error {
	return l.iptables("-A", "CUT", "-s", other.address(), "-j", "DROP")
}

// Lossy drops packets from other nodes with probability p.
func (l *Link) Lossy(other *Link, p float64) error {
	return l.iptables("-A", "CUT", "-s", other.address(), "-m", "statistic", "--mode", "random",
		"--probability", fmt.Sprintf("%.3f", p), "-j", "DROP")
}

// Small drops packets from other that are larger than size bytes.
func (l *Link) Small(other *Link, size int) error {
	return l.iptables("-A", "CUT", "-s", other.address(), "-m", "length", "--length",
		fmt.Sprintf("%d:65535", size), "-j", "DROP")
}

// Cut keeps two nodes from hearing each other.
func Cut(a, b *Link) error { return errors.Join(a.Deaf(b), b.Deaf(a)) }

// remove takes the interface away first: connections that the kernel has not given up yet would keep the
// namespace, without a name, and with it the port's name for a while.
func (l *Link) remove() error {
	return errors.Join(Command("ip", "link", "del", l.port()), Command("ip", "netns", "del", l.namespace))
}
