package server

import (
	"strings"
	"sync/atomic"

	"ciderd/internal/protocol"
	"ciderd/internal/redis"
	"ciderd/internal/tally"
)

// The names of ports, as in listen of the configuration.
const (
	Text     = "text"
	TextTLS  = "text_tls"
	Redis    = "redis"
	RedisTLS = "redis_tls"
)

// Ports are their names, in the order in which they are shown.
var Ports = []string{Text, TextTLS, Redis, RedisTLS}

// Why a connection is refused.
const (
	refusedLimit    = iota // the node has as many as it may
	refusedAddress         // the client's address has
	refusedHeader          // too many proxies have not said yet who their clients are
	refusedDraining        // the node is out of traffic
	reasons
)

// refusalNames are the settings that bound what was refused; an operator has said "draining".
var refusalNames = [reasons]string{"max_connections", "max_connections_per_address", "proxy_from", "draining"}

// portCounts is what is counted of a port's clients.
type portCounts struct {
	open     atomic.Int64
	commands *tally.Table
}

func newPorts() map[string]*portCounts {
	ports := map[string]*portCounts{}
	for _, name := range Ports {
		ports[name] = &portCounts{commands: tally.NewTable(len(commandNames(name)))}
	}
	return ports
}

var (
	textNames = textCommands()
	respNames = redis.Names()
)

// commandNames returns the names of a port's commands, by the number under which they are counted. An empty one is of
// none.
func commandNames(port string) []string {
	if port == Redis || port == RedisTLS {
		return respNames
	}
	return textNames
}

func textCommands() []string {
	names := []string{protocol.VerbNone: "unknown"}
	for _, c := range protocol.Commands() {
		if c.As != protocol.VerbNone {
			continue // it is counted as what it is
		}
		for len(names) <= int(c.Verb) {
			names = append(names, "")
		}
		names[c.Verb] = strings.ToLower(c.Name)
	}
	return names
}

// Counts is what was counted of the clients of one port since the server was made. Its commands are those of sessions
// that have waited for their clients since.
type Counts struct {
	Port        string
	Connections int
	Commands    []CommandCounts
}

// CommandCounts is what was counted of one command: its name in lower case, "unknown" for what is none.
type CommandCounts struct {
	Name string
	tally.Command
}

// Counting counts what clients do. All methods may be called from any goroutine.
type Counting struct {
	ports   map[string]*portCounts // by name; it does not change
	refused [reasons]atomic.Uint64
}

// Of returns what was counted of a port.
func (c *Counting) Of(port string) Counts {
	p := c.ports[port]
	counts := Counts{Port: port, Connections: int(p.open.Load())}
	for n, name := range commandNames(port) {
		if name != "" {
			counts.Commands = append(counts.Commands, CommandCounts{name, p.commands.Read(n)})
		}
	}
	return counts
}

// Refused returns how many connections were refused, by the setting that bounds them, or "draining".
func (c *Counting) Refused() map[string]uint64 {
	refused := map[string]uint64{}
	for reason := range c.refused {
		refused[refusalNames[reason]] = c.refused[reason].Load()
	}
	return refused
}
