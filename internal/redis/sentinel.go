package redis

import (
	"net"
	"strconv"

	"ciderd/internal/protocol/resp"
)

// A client in Sentinel mode asks nodes for the master of a name, which here is the cluster's. Each node takes writes, so
// each names itself, and the others as sentinels that may be asked as well and as replicas that may be read from. A node
// that cannot serve names another one.

func sentinelHandlers() map[string]handler {
	return map[string]handler{
		"sentinel|get-master-addr-by-name": {run: masterAddress},
		"sentinel|masters":                 {run: masters},
		"sentinel|master":                  {run: master},
		"sentinel|replicas":                {run: replicas},
		"sentinel|sentinels":               {run: sentinels},
		"sentinel|myid":                    {run: myID},
	}
}

// port is where a client of the same kind of port reaches the node; 0: nowhere.
func (n *Node) port(tls bool) int {
	if tls {
		return n.TLSPort
	}
	return n.Redis
}

func splitPort(address string) (host string, port int) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return address, 0
	}
	port, _ = strconv.Atoi(text)
	return host, port
}

// nodes is the cluster as a client sees it from the port that it has come to.
type nodes struct {
	*Config
	at Addresses
}

func (s *Session) nodes() nodes { return nodes{&s.all.config, s.card.addresses} }

// here is this node. One that is alone is where the client has found it.
func (c nodes) here() Node {
	if len(c.Nodes) > 0 {
		return c.Nodes[0]
	}
	host, port := splitPort(c.at.Local)
	return Node{Name: c.Cluster, Host: host, Redis: port, TLSPort: port}
}

// others are the other nodes that have a port of the same kind.
func (c nodes) others() (others []Node) {
	for i, n := range c.Nodes {
		if i > 0 && n.port(c.at.TLS) != 0 {
			others = append(others, n)
		}
	}
	return others
}

// elsewhere is another node that answers, or this one if none does.
func (c nodes) elsewhere() Node {
	now := c.now()
	for _, n := range c.others() {
		if !now.Silent[n.Name] {
			return n
		}
	}
	return c.here()
}

// server is the node to go to.
func server(s *Session) Node {
	if s.all.sessions.Serving() {
		return s.nodes().here()
	}
	return s.nodes().elsewhere()
}

// named reports whether a name is the cluster's. If not, it has answered that.
func named(s *Session, name []byte) bool {
	if string(name) == s.all.config.Cluster {
		return true
	}
	s.w.Error(string(errNoMaster))
	return false
}

func masterAddress(s *Session, _ *resp.Command, args [][]byte) {
	if string(args[2]) != s.all.config.Cluster {
		s.w.NullArray()
		return
	}
	n := server(s)
	s.w.Array(2)
	s.w.BulkString(n.Host)
	s.w.BulkString(strconv.Itoa(n.port(s.card.addresses.TLS)))
}

func masters(s *Session, _ *resp.Command, _ [][]byte) {
	s.w.Array(1)
	tellMaster(s)
}

func master(s *Session, _ *resp.Command, args [][]byte) {
	if named(s, args[2]) {
		tellMaster(s)
	}
}

func tellMaster(s *Session) {
	n := len(s.nodes().others())
	others := strconv.Itoa(n)
	tell(s, s.all.config.Cluster, server(s), "master",
		setting{"role-reported", "master"}, setting{"config-epoch", "0"}, setting{"num-slaves", others},
		setting{"num-other-sentinels", others}, setting{"quorum", strconv.Itoa((n+1)/2 + 1)},
		setting{"failover-timeout", "180000"}, setting{"parallel-syncs", "1"})
}

func replicas(s *Session, _ *resp.Command, args [][]byte) {
	if !named(s, args[2]) {
		return
	}
	seen, now := s.nodes(), s.all.config.now()
	others, here := seen.others(), seen.here()
	s.w.Array(len(others))
	for _, n := range others {
		flags, link := "slave", "ok"
		if now.Silent[n.Name] {
			flags, link = "s_down,slave,disconnected", "err"
		}
		tell(s, n.address(s.card.addresses.TLS), n, flags,
			setting{"role-reported", "slave"}, setting{"master-link-down-time", "0"}, setting{"master-link-status", link},
			setting{"master-host", here.Host}, setting{"master-port", strconv.Itoa(here.port(s.card.addresses.TLS))},
			setting{"slave-priority", "100"}, setting{"slave-repl-offset", strconv.FormatUint(now.Applied, 10)})
	}
}

func sentinels(s *Session, _ *resp.Command, args [][]byte) {
	if !named(s, args[2]) {
		return
	}
	others, now := s.nodes().others(), s.all.config.now()
	s.w.Array(len(others))
	for _, n := range others {
		flags := "sentinel"
		if now.Silent[n.Name] {
			flags = "s_down,sentinel,disconnected"
		}
		tell(s, s.all.config.runID(n.Name), n, flags, setting{"voted-leader", "?"}, setting{"voted-leader-epoch", "0"})
	}
}

func (n *Node) address(tls bool) string { return net.JoinHostPort(n.Host, strconv.Itoa(n.port(tls))) }

// tell answers what a Sentinel says of an instance.
func tell(s *Session, name string, n Node, flags string, more ...setting) {
	facts := append([]setting{
		{"name", name}, {"ip", n.Host}, {"port", strconv.Itoa(n.port(s.card.addresses.TLS))},
		{"runid", s.all.config.runID(n.Name)}, {"flags", flags}, {"link-pending-commands", "0"}, {"link-refcount", "1"},
		{"last-ping-sent", "0"}, {"last-ok-ping-reply", "0"}, {"last-ping-reply", "0"}, {"down-after-milliseconds", "30000"},
		{"info-refresh", "0"},
	}, more...)
	s.w.Map(len(facts))
	for _, f := range facts {
		s.w.BulkString(f.name)
		s.w.BulkString(f.value)
	}
}

func myID(s *Session, _ *resp.Command, _ [][]byte) {
	s.w.BulkString(s.all.config.runID(s.nodes().here().Name))
}
