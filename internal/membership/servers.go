package membership

import (
	"slices"

	"ciderd/internal/peer"
)

// Server is one server of Raft's configuration.
type Server struct {
	ID    string // name/short-id
	Voter bool   // else it is a replica, or is catching up
}

// Servers is a configuration.
type Servers []Server

// IDs returns all server ids.
func (s Servers) IDs() []string {
	ids := make([]string, len(s))
	for i := range s {
		ids[i] = s[i].ID
	}
	return ids
}

// Has reports whether there is a server with that id.
func (s Servers) Has(id string) bool {
	return slices.ContainsFunc(s, func(o Server) bool { return o.ID == id })
}

// HasNonvoter reports whether there is a server with that id, without a vote.
func (s Servers) HasNonvoter(id string) bool { return slices.Contains(s, Server{ID: id}) }

// Named returns the server of that name.
func (s Servers) Named(name string) (Server, bool) {
	for _, o := range s {
		if peer.NodeName(o.ID) == name {
			return o, true
		}
	}
	return Server{}, false
}

// Voters returns the ids of the voters other than self, and reports whether self is one.
func (s Servers) Voters(self string) (others []string, selfVotes bool) {
	for _, o := range s {
		switch {
		case !o.Voter:
		case o.ID == self:
			selfVotes = true
		default:
			others = append(others, o.ID)
		}
	}
	return others, selfVotes
}

// VoterCount returns how many voters there are.
func (s Servers) VoterCount() (count int) {
	for _, o := range s {
		if o.Voter {
			count++
		}
	}
	return count
}
