package auth

import "net/netip"

// addrKey is what counts as one client: an IPv4 address, or the /64 of an IPv6 address, since a
// single customer has all of it. addr may carry a port. Anything else stands for itself.
func addrKey(addr string) string {
	ip, err := netip.ParseAddr(addr)
	if ap, err2 := netip.ParseAddrPort(addr); err != nil && err2 == nil {
		ip, err = ap.Addr(), nil
	}
	if err != nil {
		return addr[:min(len(addr), 255)]
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		prefix, _ := ip.Prefix(64) // 64 bits always fit
		return prefix.String()
	}
	return ip.String()
}

// The groups that many addresses are taken together by: what one guesser has got many addresses of is,
// as a rule, one network.
const (
	wide4   = 24
	wide6   = 48 // what a site gets
	narrow6 = 56 // what a household gets
)

// groups gives the networks that an address belongs to, as addrKey gives it. One that has none stands
// for itself.
func groups(addr string) (wide, narrow string) {
	if ip, err := netip.ParseAddr(addr); err == nil {
		wide = masked(ip, wide4)
		return wide, wide
	}
	if p, err := netip.ParsePrefix(addr); err == nil && p.Addr().Is6() {
		return masked(p.Addr(), wide6), masked(p.Addr(), narrow6)
	}
	return addr, addr
}

func masked(ip netip.Addr, bits int) string {
	p, err := ip.Prefix(bits)
	if err != nil {
		return ip.String()
	}
	return p.String()
}
