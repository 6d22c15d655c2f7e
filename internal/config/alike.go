package config

import "strings"

// Alike returns the settings that all nodes of a cluster should have alike, by key, as text: all but those that say where a
// node keeps its files and listens.
func (c *Config) Alike() map[string]string {
	alike := map[string]string{}
	for i := range settings {
		s := &settings[i]
		switch {
		case s.key == "data_dir", s.section() == "listen" && s.name() != "newline", s.section() == "tls", s.section() == "log":
			continue
		}
		alike[s.key] = s.get(c)
	}
	var nodes []string
	for _, n := range c.Nodes {
		nodes = append(nodes, n.Name+" "+n.PeerAddress)
	}
	alike["cluster.node"] = strings.Join(nodes, ", ")
	return alike
}
