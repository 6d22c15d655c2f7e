// Package served is a real server, of both protocols, on a node that applies at once, for the tests of what speaks to one.
//
// It owns its ports until it is closed. It is in no cluster, and never a part of the program.
package served

import (
	"context"
	"iter"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/accounts"
	"ciderd/internal/auth"
	"ciderd/internal/server"
	"ciderd/test/nodetest"
)

// Node is one, with its accounts and its server.
type Node struct {
	*nodetest.Node
	Accounts   *accounts.Accounts
	Server     *server.Server
	Text, RESP string // addresses
	// Memory and Limit are what STATUS tells of memory; set before anybody asks.
	Memory, Limit string
}

// Self is of session.Node.
func (*Node) Self() (name, role string) { return "n1", "leader" }

// Facts is of session.Node.
func (n *Node) Facts() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		_ = yield("memory", n.Memory) && yield("memory_limit", n.Limit)
	}
}

// Start starts one with a user. There is no limit on memory. Whoever starts it closes its Server.
func Start(ctx context.Context, user, password string) (*Node, error) {
	h, err := auth.NewHasher(auth.Options{Cost: auth.MinCost, Parallel: 2})
	if err != nil {
		return nil, err
	}
	n := &Node{Node: nodetest.New(), Memory: "0", Limit: "-"}
	n.Accounts = accounts.New(accounts.Config{WriteTimeout: time.Minute}, n.Node, h)
	if err := n.Accounts.Add(ctx, accounts.Credentials{Name: user, Password: []byte(password)}); err != nil {
		return nil, err
	}
	text, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	resp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = text.Close()
		return nil, err
	}
	n.Text, n.RESP = text.Addr().String(), resp.Addr().String()
	n.Server = server.New(server.Config{}, n, n.Accounts, hclog.NewNullLogger())
	go func() { _ = n.Server.Serve(text) }()
	go func() { _ = n.Server.ServeRESP(resp, nil) }()
	return n, nil
}
