package daemon

import "ciderd/internal/redis"

// redisConfig is what clients of Redis are told of the cluster.
func (d *Daemon) redisConfig() redis.Config {
	c := redis.Config{Cluster: d.config.ClusterName, Version: d.version, Now: d.clusterNow}
	if d.config.Single {
		return c
	}
	for _, n := range d.config.Nodes {
		known := redis.Node{Name: n.Name, Host: n.Host, Redis: n.Redis, TLSPort: n.RedisTLS}
		if n.Name == d.config.NodeName {
			c.Nodes = append([]redis.Node{known}, c.Nodes...)
			continue
		}
		c.Nodes = append(c.Nodes, known)
	}
	return c
}

func (d *Daemon) clusterNow() redis.Now {
	s := d.node.Status()
	now := redis.Now{Applied: s.Applied, Voters: s.Voters, Silent: map[string]bool{}}
	for _, p := range s.Peers {
		now.Silent[p.Name] = p.Reason != ""
	}
	return now
}
