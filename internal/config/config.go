package config

import (
	"fmt"
	"log/slog"
	"time"
)

// Config is what one node runs with. Addresses are host:port; an empty host means all interfaces.
type Config struct {
	ClusterName string // "default" without a cluster block
	NodeName    string // this node, one of Nodes
	// Nodes are all nodes of the file, in its order, this one included. A single node has one, with an
	// empty PeerAddress.
	Nodes []Node
	// Single is set when there is no cluster block: one node for itself, that no other can join.
	Single bool
	// InsecurePeers allows peer traffic, which is neither encrypted nor authenticated, to leave the machine.
	InsecurePeers bool

	Text  string // where this node listens for clients
	Peer  string // where it listens for other nodes; empty: nowhere (Single)
	Admin string // where it listens for health and metrics
	// Newline ends output lines: NewlineLF or NewlineCRLF.
	Newline string

	DataDir   string // as written; a relative one is relative to the working directory
	LogFormat string // LogAuto, LogText or LogJSON

	Runtime

	origins map[string]origin // key -> where its value was said, for Describe; defaults are not in it
}

// origin is where a value was said: a line of the file, or (line 0) a variable.
type origin struct {
	where string
	line  int
}

func (o origin) String() string {
	if o.line == 0 {
		return o.where
	}
	return fmt.Sprintf("%s:%d", o.where, o.line)
}

// Node is what every node knows about a node of the cluster.
type Node struct {
	Name        string
	PeerAddress string // where other nodes reach it
	TextAddress string // where clients reach it
}

// Runtime holds the settings that may change while a node runs: on SIGHUP the new file's Runtime
// replaces the old one as a whole. It is comparable.
type Runtime struct {
	Limits   Limits
	Auth     Auth
	Timeouts Timeouts
	LogLevel slog.Level
}

// Limits bound what clients may take.
type Limits struct {
	MaxValueSize             int // bytes, 1 KiB to 1 MiB
	MaxConnections           int // client connections of this node, at least 1
	MaxConnectionsPerAddress int // of one client address; 0: no limit of its own
	MaxUsers                 int // accounts; 0: no limit
	// MaxOutput is how many bytes of replies all connections may hold together while their clients take none:
	// then those that hold most are closed. At least 1 MiB.
	MaxOutput int
	// Stall closes a connection whose client takes nothing of its replies for so long; at least a second.
	Stall time.Duration
}

// Auth is about sessions and passwords.
type Auth struct {
	SignupOpen bool // false: only the admin socket adds users
	// IdleTimeout ends a session that sends nothing for so long; 0: never.
	IdleTimeout  time.Duration
	LoginTimeout time.Duration // ends a connection that has not logged in
	HidePassword string        // HideNever, HideTelnet or HideAlways
	// BcryptCost of new hashes, 4 to 15: one more doubles the work of a thief and of every first login.
	BcryptCost int
}

// Timeouts of a running node.
type Timeouts struct {
	Write    time.Duration // then a write is answered TIMEOUT
	Shutdown time.Duration // for what was accepted, after SIGTERM
}

// Values of Config.Newline, Config.LogFormat and Auth.HidePassword.
const (
	NewlineLF   = "lf"
	NewlineCRLF = "crlf"

	LogAuto = "auto" // by where the log goes
	LogText = "text"
	LogJSON = "json"

	HideNever  = "never"
	HideTelnet = "telnet" // only from clients that speak telnet
	HideAlways = "always"
)

// defaultText and so on are what a node of a cluster listens on, unless told otherwise.
const (
	defaultText     = ":8080"
	defaultPeer     = ":7000"
	defaultAdmin    = "127.0.0.1:8081"
	singleText      = "localhost:8080" // for trying out: not to be reached from outside
	defaultDataDir  = "/var/lib/ciderd"
	singleDataDir   = "./ciderd-data"
	singleCluster   = "default"
	singleNode      = "ciderd"
	maxFileSize     = 64 << 10 // bytes; also bounds how deep a file can nest
	maxNameLen      = 64       // of clusters and nodes
	environPrefix   = "CIDERD_"
	environFile     = "CIDERD_CONFIG"
	environNodeName = "CIDERD_NODE"
)

// defaults returns what holds before file and variables, for a node of a cluster or a single one.
func defaults(single bool) *Config {
	c := &Config{
		Single:    single,
		Text:      defaultText,
		Peer:      defaultPeer,
		Admin:     defaultAdmin,
		Newline:   NewlineLF,
		DataDir:   defaultDataDir,
		LogFormat: LogAuto,
		Runtime: Runtime{
			Limits: Limits{MaxValueSize: 512 << 10, MaxConnections: 10_000, MaxOutput: 64 << 20, Stall: 30 * time.Second},
			Auth: Auth{
				SignupOpen:   true,
				IdleTimeout:  30 * time.Minute,
				LoginTimeout: time.Minute,
				HidePassword: HideNever,
				BcryptCost:   10,
			},
			Timeouts: Timeouts{Write: 5 * time.Second, Shutdown: 15 * time.Second},
			LogLevel: slog.LevelInfo,
		},
		origins: map[string]origin{},
	}
	if single {
		c.ClusterName, c.Text, c.DataDir = singleCluster, singleText, singleDataDir
	}
	return c
}
