package peer

import (
	"fmt"
	"strings"
)

// Member is a node as the configuration names it.
type Member struct {
	Name    string
	Address string // of its peer port, host:port
}

// Members are the nodes of the file, in its order. They only say where to find nodes; Raft knows which have a vote.
type Members []Member

// NodeName returns the name in a server id, name/short-id.
func NodeName(serverID string) string {
	name, _, _ := strings.Cut(serverID, "/")
	return name
}

// Has reports whether there is a node of that name.
func (m Members) Has(name string) bool {
	for _, member := range m {
		if member.Name == name {
			return true
		}
	}
	return false
}

// Address returns the current address of the server's node.
func (m Members) Address(serverID string) (string, error) {
	name := NodeName(serverID)
	for _, member := range m {
		if member.Name == name {
			return member.Address, nil
		}
	}
	return "", fmt.Errorf("no node %q in the configuration", name)
}

// Others returns the nodes other than self.
func (m Members) Others(self string) Members {
	var others Members
	for _, member := range m {
		if member.Name != self {
			others = append(others, member)
		}
	}
	return others
}

// Names returns the names of all nodes, in the order of the file, for comparing two nodes' files.
func (m Members) Names() []string {
	names := make([]string, 0, len(m))
	for _, member := range m {
		names = append(names, member.Name)
	}
	return names
}
