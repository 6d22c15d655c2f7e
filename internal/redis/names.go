package redis

import (
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
)

// unknown is the number under which what is no command here is counted.
var unknown = uint16(len(handlers))

// Names returns the names of what is counted of this protocol's clients, by number: the commands that are served, a
// subcommand as "client|kill", and "unknown" for all that is not. The name of a number that nothing is counted under is
// empty.
func Names() []string {
	names := make([]string, unknown+1)
	names[unknown] = "unknown"
	for _, c := range resp.AllCommands() {
		if n := numberOf(c); n != unknown {
			names[n] = c.Name
		}
	}
	return names
}

// numberOf returns the number that a command is counted under; nil: there is no such command.
func numberOf(c *resp.Command) uint16 {
	if c == nil || c.Has(resp.Refused) || !handlers[c.Number].there() {
		return unknown
	}
	return uint16(c.Number)
}

// Accesses returns what each command does with its user's cache, by the same numbers.
func Accesses() []protocol.Access {
	all := make([]protocol.Access, unknown+1)
	for _, c := range resp.AllCommands() {
		switch {
		case c.Has(resp.Write):
			all[numberOf(c)] = protocol.Writes
		case c.Has(resp.ReadOnly):
			all[numberOf(c)] = protocol.Reads
		}
	}
	all[unknown] = protocol.Neither
	return all
}
