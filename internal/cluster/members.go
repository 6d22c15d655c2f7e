package cluster

import (
	"fmt"
	"strings"

	"ciderd/internal/peer"
)

// Member is a node as the configuration names it.
type Member struct {
	Name    string
	Address string // of its peer port, host:port
}

// members says where to look for nodes. The file's names and addresses are only that: who has a
// vote is Raft's to know.
type members struct {
	list []Member
}

// nodeName is the name in a server id, name/short-id.
func nodeName(serverID string) string {
	name, _, _ := strings.Cut(serverID, "/")
	return name
}

func (m *members) has(name string) bool {
	for _, member := range m.list {
		if member.Name == name {
			return true
		}
	}
	return false
}

// address is where the server's node is to be found today.
func (m *members) address(serverID string) (string, error) {
	name := nodeName(serverID)
	for _, member := range m.list {
		if member.Name == name {
			return member.Address, nil
		}
	}
	return "", fmt.Errorf("no node %q in the configuration", name)
}

// others lists the nodes besides self.
func (m *members) others(self string) []Member {
	var others []Member
	for _, member := range m.list {
		if member.Name != self {
			others = append(others, member)
		}
	}
	return others
}

// listing is the names, in the order of the file, for comparing two nodes' files.
func (m *members) listing() []string {
	names := make([]string, 0, len(m.list))
	for _, member := range m.list {
		names = append(names, member.Name)
	}
	return names
}

// client returns the query client of a node, by name or server id.
func (n *Node) client(want string) *peer.Client {
	n.clientsMu.Lock()
	defer n.clientsMu.Unlock()
	c := n.clients[want]
	if c == nil {
		c = peer.NewClient(func() string {
			address, _ := n.members.address(want) // an empty address fails to dial, and says so
			return address
		}, n.self, want)
		n.clients[want] = c
	}
	return c
}
