package config

import (
	"fmt"
	"slices"
)

// Diff returns the keys that differ between the running configuration and a newly loaded one: changed can be
// applied by taking the new Runtime, needRestart only by a restart. A key is in at most one of them. Besides the
// keys of the file there are "cluster" (its name), "node" (which one this is) and "cluster.node.NAME" (added,
// removed, or another address).
func Diff(old, new *Config) (changed, needRestart []string) {
	if old.ClusterName != new.ClusterName || old.Single != new.Single {
		needRestart = append(needRestart, clusterSection)
	}
	if old.NodeName != new.NodeName {
		needRestart = append(needRestart, "node")
	}
	for _, name := range differentNodes(old.Nodes, new.Nodes) {
		needRestart = append(needRestart, "cluster.node."+name)
	}
	for _, s := range settings {
		switch {
		case s.get(old) == s.get(new):
		case s.live:
			changed = append(changed, s.key)
		default:
			needRestart = append(needRestart, s.key)
		}
	}
	return changed, needRestart
}

// Value returns a setting as it would be written; empty if there is none of that key, as for "node".
func (c *Config) Value(key string) string {
	if s := settingBy(key); s != nil {
		return s.get(c)
	}
	return ""
}

// Replaces returns why a running process cannot replace its configuration old by new: new is for another node, or
// for none, so nothing in it is meant for this one. nil: it can.
func Replaces(old, new *Config) error {
	switch {
	case old.Single != new.Single && old.Single:
		return fmt.Errorf("this process is a single node, and the file is that of cluster %q: start it anew", new.ClusterName)
	case old.Single != new.Single:
		return fmt.Errorf("this process is node %q of cluster %q, and the file has no cluster block", old.NodeName, old.ClusterName)
	case old.ClusterName != new.ClusterName:
		return fmt.Errorf("this process is of cluster %q, and the file is that of cluster %q", old.ClusterName, new.ClusterName)
	case old.NodeName != new.NodeName:
		return fmt.Errorf("this process is node %q, and by the file it would be node %q", old.NodeName, new.NodeName)
	}
	return nil
}

// differentNodes returns the names of nodes that are in only one list, or differ between the two. The order does
// not matter.
func differentNodes(old, new []Node) (names []string) {
	for _, n := range old {
		if !slices.Contains(new, n) {
			names = append(names, n.Name)
		}
	}
	for _, n := range new {
		if !slices.Contains(old, n) && !slices.Contains(names, n.Name) {
			names = append(names, n.Name)
		}
	}
	return names
}
