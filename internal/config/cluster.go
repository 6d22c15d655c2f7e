package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// clusterBlock is the cluster block as it is written.
type clusterBlock struct {
	line  int
	nodes []*nodeBlock
}

// nodeBlock is a node block as it is written, and what is derived from it.
type nodeBlock struct {
	name string
	line int
	keys map[string]located // by name, only valid ones

	address           endpoint // what other nodes dial
	text, peer, admin endpoint // what it listens on; text: no port, for nowhere
	textTLS           endpoint // no port: nowhere
	redis, redisTLS   endpoint // likewise
	dataDir           string
	unfit             bool // has no address, or another node's: not worth comparing further
}

// nodeKeys are the keys of a node block and what is wrong with a value.
var nodeKeys = map[string]func(text string) error{
	"address":   func(text string) error { _, err := parseNodeAddress(text); return err },
	"text":      checkOptionalListen,
	"text_tls":  checkOptionalListen,
	"redis":     checkOptionalListen,
	"redis_tls": checkOptionalListen,
	"peer":      checkListen,
	"admin":     checkListen,
	"announce":  checkAnnounce,
	"data_dir":  checkPath,
	"cert_file": checkPath,
	"key_file":  checkPath,
}

func checkListen(text string) error {
	_, err := parseListen(text)
	return err
}

func checkAnnounce(text string) error {
	if !validHost(text) || (endpoint{host: text}).everywhere() {
		return fmt.Errorf("%q is not a host: write a name or an IP address, without a port, under which clients reach the node", text)
	}
	return nil
}

func checkOptionalListen(text string) error {
	if isNone(text) {
		return nil
	}
	return checkListen(text)
}

// clusterBlock reads cluster "name" { … }.
func (l *loader) clusterBlock(block *hclsyntax.Block, line int) {
	l.cluster = &clusterBlock{line: line}
	l.cfg.ClusterName = l.label(block, line)
	l.section(block.Body, clusterSection)
	if len(l.cluster.nodes) == 0 && len(l.broken) == 0 {
		l.problem("", line, `a cluster needs nodes: write node "NAME" { address = "HOST" } for each`)
	}
}

// label returns the name of a block that has exactly one, or "" after noting a problem.
func (l *loader) label(block *hclsyntax.Block, line int) string {
	switch {
	case len(block.Labels) != 1:
		l.problem("", line, "a %s block has one name: write %s \"NAME\" { … }", block.Type, block.Type)
		return ""
	case !validName(block.Labels[0]):
		l.problem("", line, "%q is not a %s name: 1 to %d of A-Z a-z 0-9 . _ -", block.Labels[0], block.Type, maxNameLen)
		return ""
	}
	return block.Labels[0]
}

// node reads node "name" { … }.
func (l *loader) node(block *hclsyntax.Block, line int) {
	n := &nodeBlock{name: l.label(block, line), line: line, keys: map[string]located{}}
	l.cluster.nodes = append(l.cluster.nodes, n)
	_, addressed := block.Body.Attributes["address"]
	for _, key := range slices.Sorted(maps.Keys(block.Body.Attributes)) {
		attr := block.Body.Attributes[key]
		check := nodeKeys[key]
		if check == nil {
			addressed = true // most likely this is it, misspelled
			l.problem("", attr.NameRange.Start.Line, "unknown key %q in node%s", key, didYouMean(key, slices.Sorted(maps.Keys(nodeKeys))))
			continue
		}
		value, ok := l.literal(attr, quoted)
		if !ok {
			continue
		}
		if err := check(value.text); err != nil {
			l.problem("", value.line, "%s: %v", key, err)
			continue
		}
		n.keys[key] = value
	}
	for _, inner := range block.Body.Blocks {
		if len(l.broken) > 0 && (inner.Type == "node" || slices.Contains(blockNames(""), inner.Type)) {
			l.block(inner, clusterSection, inner.TypeRange.Start.Line) // this one is not closed
			continue
		}
		l.problem("", inner.TypeRange.Start.Line, "unknown block %q in node: it has keys only", inner.Type)
	}
	if !addressed && len(l.broken) == 0 {
		l.problem("", line, `node %q has no address: write address = "HOST", as other nodes reach it`, n.name)
	}
}

// joinCluster resolves all nodes from the file alone, so that every node gets the same result, and then this node's
// own settings.
func (l *loader) joinCluster(inFile *Config) {
	nodes := l.cluster.nodes
	for _, n := range nodes {
		n.resolve(inFile)
	}
	l.checkNames(nodes)
	l.checkAddresses(nodes)
	l.checkMachines(nodes)
	for _, n := range nodes {
		l.cfg.Nodes = append(l.cfg.Nodes, n.known(inFile))
	}
	if l.AnyNode {
		l.checkPeersPrivate(nodes)
		return
	}
	if own := l.ownNode(nodes); own != nil {
		l.become(own, inFile)
		l.checkOwnPorts()
	}
	checkEncryption(l)
	l.checkPeersPrivate(nodes)
}

// checkWhatIsThere checks a file that could not be parsed as a whole, so that one syntax error does not hide other
// mistakes. It does not report what may be missing only because it could not be parsed.
func (l *loader) checkWhatIsThere(inFile *Config) {
	if l.cluster == nil {
		return
	}
	for _, n := range l.cluster.nodes {
		n.resolve(inFile)
	}
	l.checkNames(l.cluster.nodes)
	l.checkAddresses(l.cluster.nodes)
	l.checkMachines(l.cluster.nodes)
	if !strings.Contains(string(l.src), "insecure_peers") {
		l.checkPeersPrivate(l.cluster.nodes)
	}
}

// resolve fills in what the block leaves out. Its problems are noted already: nothing follows from two bad parts.
func (n *nodeBlock) resolve(file *Config) {
	n.address, _ = parseNodeAddress(n.keys["address"].text)
	n.unfit = n.address.host == ""
	n.text, _ = parseListen(n.or("text", file.Text))
	n.textTLS, _ = parseListen(n.or("text_tls", file.TextTLS))
	n.redis, _ = parseListen(n.or("redis", file.Redis))
	n.redisTLS, _ = parseListen(n.or("redis_tls", file.RedisTLS))
	n.admin, _ = parseListen(n.or("admin", file.Admin))
	n.peer, _ = parseListen(n.or("peer", file.Peer))
	n.dataDir = n.or("data_dir", file.DataDir)
	if _, given := n.keys["peer"]; !given && n.address.port > 0 {
		n.peer.port = n.address.port
	}
	if n.address.port == 0 {
		n.address.port = n.peer.port
	}
	n.peer = n.peer.narrowed(n.address.host)
}

func (n *nodeBlock) or(key, otherwise string) string {
	if v, ok := n.keys[key]; ok {
		return v.text
	}
	return otherwise
}

// narrowed returns e for calls that can only come from this machine: without listening on all interfaces.
func (e endpoint) narrowed(address string) endpoint {
	if e.everywhere() && loopback(address) {
		e.host = address
	}
	return e
}

// listens returns where the node listens; empty: nowhere.
func (n *nodeBlock) listens(key string, e endpoint, file string) string {
	if isNone(n.or(key, file)) {
		return ""
	}
	return e.String()
}

// known returns what all nodes know of the node.
func (n *nodeBlock) known(file *Config) Node {
	k := Node{Name: n.name, PeerAddress: n.address.String(), TextAddress: n.textAddress(file), Host: n.host()}
	if n.listens("redis", n.redis, file.Redis) != "" {
		k.Redis = n.redis.port
	}
	if n.listens("redis_tls", n.redisTLS, file.RedisTLS) != "" {
		k.RedisTLS = n.redisTLS.port
	}
	return k
}

// host returns the host under which clients reach the node.
func (n *nodeBlock) host() string { return n.or("announce", n.address.host) }

// textAddress returns where clients reach the node; empty: not by plain text.
func (n *nodeBlock) textAddress(file *Config) string {
	if n.listens("text", n.text, file.Text) == "" {
		return ""
	}
	if _, announced := n.keys["announce"]; announced || n.text.everywhere() {
		return endpoint{n.host(), n.text.port}.String()
	}
	return n.text.String()
}

// become applies the node's own settings, except those that a variable overrides.
func (l *loader) become(n *nodeBlock, file *Config) {
	l.cfg.NodeName = n.name
	for _, own := range []struct {
		setting, key string
		value        string
		target       *string
	}{
		{"listen.text", "text", n.listens("text", n.text, file.Text), &l.cfg.Text},
		{"listen.text_tls", "text_tls", n.listens("text_tls", n.textTLS, file.TextTLS), &l.cfg.TextTLS},
		{"listen.redis", "redis", n.listens("redis", n.redis, file.Redis), &l.cfg.Redis},
		{"listen.redis_tls", "redis_tls", n.listens("redis_tls", n.redisTLS, file.RedisTLS), &l.cfg.RedisTLS},
		{"listen.peer", "peer", n.peer.String(), &l.cfg.Peer},
		{"listen.admin", "admin", n.admin.String(), &l.cfg.Admin},
		{"data_dir", "data_dir", n.dataDir, &l.cfg.DataDir},
		{"tls.cert_file", "cert_file", n.or("cert_file", file.TLS.CertFile), &l.cfg.TLS.CertFile},
		{"tls.key_file", "key_file", n.or("key_file", file.TLS.KeyFile), &l.cfg.TLS.KeyFile},
	} {
		if _, ok := l.env[settingBy(own.setting).environ()]; ok {
			continue
		}
		v, given := n.keys[own.key]
		if !given && own.value != *own.target {
			v, given = n.keys["address"] // its port, or that it is loopback, decided
		}
		if given {
			l.cfg.origins[own.setting] = origin{l.path, v.line}
		}
		*own.target = own.value
	}
	if peer, err := parseListen(l.cfg.Peer); err == nil {
		l.cfg.Peer = peer.narrowed(n.address.host).String()
	}
}

// names returns the nodes with their addresses, for messages.
func names(nodes []*nodeBlock) string {
	texts := make([]string, len(nodes))
	for i, n := range nodes {
		if texts[i] = n.name; n.address.host != "" {
			texts[i] += " (" + n.address.host + ")"
		}
	}
	return strings.Join(texts, ", ")
}
