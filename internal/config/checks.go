package config

import (
	"path/filepath"
	"strings"
)

// checkNames: every node has its own name. Names are compared without case, as host names are, by which a node may
// find itself.
func (l *loader) checkNames(nodes []*nodeBlock) {
	first := map[string]*nodeBlock{}
	for _, n := range nodes {
		key := strings.ToLower(n.name)
		if other := first[key]; other != nil && key != "" {
			l.problem("", n.line, "a second node %q; the first is in line %d", n.name, other.line)
			continue
		}
		first[key] = n
	}
}

// checkAddresses: every node is dialed at its own address, and at a port.
func (l *loader) checkAddresses(nodes []*nodeBlock) {
	first := map[string]*nodeBlock{}
	for _, n := range nodes {
		if n.unfit {
			continue
		}
		if n.address.port == 0 {
			l.problem("", n.at("peer"), "node %q: port 0 is no port that other nodes could call", n.name)
			continue
		}
		key := endpoint{machine(n.address.host), n.address.port}.String()
		if other := first[key]; other != nil {
			n.unfit = true
			l.problem("", n.at("address"), "node %q has the address %s of node %q in line %d", n.name, n.address, other.name, other.at("address"))
			continue
		}
		first[key] = n
	}
}

// machine returns a word for the machine that a host is on, as far as the file tells.
func machine(host string) string {
	if loopback(host) {
		return "this machine"
	}
	return host
}

// at returns the line of a node's key, or of its block.
func (n *nodeBlock) at(key string) int {
	if v, ok := n.keys[key]; ok {
		return v.line
	}
	return n.line
}

// says reports whether the node's block has a key.
func (n *nodeBlock) says(key string) bool {
	_, ok := n.keys[key]
	return ok
}

// taken is a port that something listens on.
type taken struct {
	endpoint
	node *nodeBlock
	key  string
}

func (a taken) collides(b taken) bool {
	return a.port == b.port && a.port != 0 &&
		(a.everywhere() || b.everywhere() || a.host == b.host)
}

// checkMachines: nodes on the same machine share neither a port nor a data directory. A node's own ports are
// compared with each other too.
func (l *loader) checkMachines(nodes []*nodeBlock) {
	type portOf struct {
		machine string
		port    int
	}
	ports := map[portOf][]taken{}
	dirs := map[[2]string]*nodeBlock{}
	for _, n := range nodes {
		if n.unfit {
			continue
		}
		where := machine(n.address.host)
		for _, t := range []taken{{n.text, n, "text"}, {n.textTLS, n, "text_tls"}, {n.redis, n, "redis"}, {n.redisTLS, n, "redis_tls"}, {n.peer, n, "peer"}, {n.admin, n, "admin"}} {
			at := portOf{where, t.port}
			l.checkPort(t, ports[at])
			ports[at] = append(ports[at], t)
		}
		dir := [2]string{where, filepath.Clean(n.dataDir)}
		if other := dirs[dir]; other != nil {
			l.problem("", n.at("data_dir"), "node %q has the data_dir %s of node %q in line %d, on the same machine; give each its own", n.name, n.dataDir, other.name, other.at("data_dir"))
			continue
		}
		dirs[dir] = n
	}
}

// checkPort notes the first of others that t collides with.
func (l *loader) checkPort(t taken, others []taken) {
	for _, o := range others {
		if !t.collides(o) {
			continue
		}
		// A node works without the health port, and it is no mistake if nodes on one machine were not given one
		// each: the first to start has it, the others log that they do without.
		if t.node != o.node && t.key == "admin" && o.key == "admin" && !t.node.says("admin") {
			continue
		}
		if t.node == o.node {
			l.problem("", t.node.at(t.key), "node %q listens on port %d for both %s and %s", t.node.name, t.port, o.key, t.key)
		} else {
			l.problem("", t.node.at(t.key), "node %q has the %s address %s, which collides with %s of node %q in line %d, on the same machine; give each its own", t.node.name, t.key, t.endpoint, o.key, o.node.name, o.node.at(o.key))
		}
		return
	}
}

// checkOwnPorts checks what this node listens on after the variables are applied. Ports that came from a cluster's
// file are compared in checkMachines.
func (l *loader) checkOwnPorts() {
	var before []taken
	for _, own := range []struct{ key, text string }{
		{"text", l.cfg.Text}, {"text_tls", l.cfg.TextTLS}, {"redis", l.cfg.Redis}, {"redis_tls", l.cfg.RedisTLS},
		{"peer", l.cfg.Peer}, {"admin", l.cfg.Admin},
	} {
		e, err := parseListen(own.text)
		if err != nil {
			continue // noted, or not listened on
		}
		t := taken{endpoint: e, key: own.key}
		for _, o := range before {
			where, line := l.listenPlace(t.key, o.key)
			if t.collides(o) && (where != "" || line > 0) {
				l.problem(where, line, "port %d is listened on for both %s and %s", t.port, o.key, t.key)
			}
		}
		before = append(before, t)
	}
}

// listenPlace returns where to report two listen keys: a variable, else (for a single node) the file. If neither,
// it was reported elsewhere.
func (l *loader) listenPlace(keys ...string) (where string, line int) {
	for _, key := range keys {
		if name := settingBy("listen." + key).environ(); l.env[name] != "" {
			return name, 0
		}
	}
	if l.cluster == nil {
		for _, key := range keys {
			if o := l.cfg.origins["listen."+key]; o.line > 0 {
				return "", o.line
			}
		}
	}
	return "", 0
}

// peersExposed is why an address outside of this machine is refused.
const peersExposed = "traffic between nodes is neither encrypted nor authenticated: whoever reaches the peer port controls the cluster. " +
	"Give the nodes certificates (ciderd tls init), or keep that port inside a private network and say so with insecure_peers = true in the cluster block"

// checkPeersPrivate refuses peer traffic that leaves the machine, unless the configuration allows it.
func (l *loader) checkPeersPrivate(nodes []*nodeBlock) {
	if l.cfg.InsecurePeers || l.cfg.PeerMode() == PeerTLSRequire {
		return
	}
	for _, n := range nodes {
		if n.unfit {
			continue
		}
		if !loopback(n.address.host) {
			l.problem("", n.at("address"), "node %q is at %s, and %s", n.name, n.address, peersExposed)
			return // once is enough
		}
		if !loopback(n.peer.host) {
			l.problem("", n.at("peer"), "node %q listens for peers on %s, and %s", n.name, n.peer, peersExposed)
			return
		}
	}
	if name := settingBy("listen.peer").environ(); l.env[name] != "" {
		if peer, err := parseListen(l.cfg.Peer); err == nil && !loopback(peer.host) {
			l.problem(name, 0, "%s is outside of this machine, and %s", peer, peersExposed)
		}
	}
}
