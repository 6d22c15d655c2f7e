package server

import (
	"ciderd/internal/protocol"
	"ciderd/internal/redis"
	"ciderd/internal/tally"
)

// Load is what clients of all ports have asked of this node since the server was made.
type Load struct {
	Commands      uint64             // that were answered
	Reads, Writes tally.Distribution // how long they took, of a sample: nanoseconds
}

var (
	textAccess = textAccesses()
	respAccess = redis.Accesses()
)

// textAccesses returns what each verb does with the cache.
func textAccesses() []protocol.Access {
	all := make([]protocol.Access, len(textNames))
	for _, c := range protocol.Commands() {
		if c.As == protocol.VerbNone {
			all[c.Verb] = c.Access
		}
	}
	return all
}

// Load returns that.
func (c *Counting) Load() Load {
	load := Load{}
	load.Reads.Add(tally.NewHistogram(tally.Latencies).Read())
	load.Writes.Add(load.Reads)
	for name, p := range c.ports {
		access := textAccess
		if name == Redis || name == RedisTLS {
			access = respAccess
		}
		for n := range access {
			read := p.commands.Read(n)
			load.Commands += read.Done + read.Failed
			switch access[n] {
			case protocol.Reads:
				load.Reads.Add(read.Took)
			case protocol.Writes:
				load.Writes.Add(read.Took)
			}
		}
	}
	return load
}
