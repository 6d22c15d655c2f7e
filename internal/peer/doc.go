// Package peer owns the connections between nodes: how to find a node, and one port for all of them, where each
// connection first proves which cluster and which node it is from and says what it is for.
//
// It promises that no byte of an unproven connection reaches Raft, that no length from the network is trusted
// before it is capped, that a message that has begun has bounded memory and a deadline, that foreign connections
// keep no node from being heard, and that of two processes that say they are one node the one heard first is
// believed while it lives (claims.go). It never looks into what it carries.
//
// How connections are protected, Security says. With Require each end has a certificate of an authority that the
// other end trusts now, with the name of the node that it says it is, written out; a stranger gets no further than the
// TLS handshake, in which it sees this node's certificate. A connection that is open stays open when certificates are
// replaced or expire. With Off names are not secrets: anything that can reach the port and knows a server's id can pass
// for it while it does not run. That is why the configuration refuses such ports unless insecure_peers allows them.
// With Prefer the same holds: strangers need no certificate, and whoever can change what is sent can keep two nodes
// from speaking TLS.
package peer
