package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// readOnly refuses whatever might be meant to change something.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// named refuses requests under a name that is not this node's. A page of a stranger's can have its own name point to
// this address (DNS rebinding), and its scripts would then read what is served here; the browser says that name in Host.
func named(hosts func() []string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !known(r.Host, hosts()) {
			http.Error(w, "this node is not known by that name: use its address, or list the name in listen.admin_hosts", http.StatusMisdirectedRequest)
			return
		}
		next(w, r)
	})
}

// known reports whether a Host header is an address, localhost or one of hosts. Without one it is no browser's.
func known(host string, hosts []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "" || host == "localhost" || slices.Contains(hosts, host)
}
