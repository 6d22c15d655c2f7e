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
	// Nodes are all nodes of the file, in its order, this one included. A single node is the only one, with an
	// empty PeerAddress.
	Nodes []Node
	// Single is set when there is no cluster block: one node that no other can join.
	Single bool

	Text     string // where this node listens for clients; empty: nowhere
	AdminTLS bool   // HTTP is spoken with TLS, with the clients' certificate
	TextTLS  string // where it listens for clients that speak TLS; empty: nowhere
	// Redis and RedisTLS are where it listens for clients that speak Redis' protocol; empty: nowhere.
	Redis, RedisTLS string
	// RedisByDefault says that nobody has asked for Redis: a node without a file listens there if the port is free.
	RedisByDefault bool

	Peer  string // where it listens for other nodes; empty: nowhere (Single)
	Admin string // where it listens for health and metrics
	// Newline ends output lines: NewlineLF or NewlineCRLF.
	Newline string

	DataDir   string // as written; a relative one is relative to the working directory
	LogFormat string // LogAuto, LogText or LogJSON

	// Election is how long a follower hears nothing of its leader before it asks for votes, 50 ms to 10 s; 0: as usual, and
	// longer while the leader's messages come late.
	Election time.Duration
	Runtime

	options Options           // that it was loaded with, see Again
	origins map[string]origin // key -> where its value was set, for Describe; without defaults
}

// origin is where a value was set: a line of the file, or (line 0) a variable.
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
	Host        string // the host under which clients reach it; empty: this node is alone
	// Redis and RedisTLS are the ports for clients of Redis; 0: none.
	Redis, RedisTLS int
}

// Runtime holds the settings that may change while a node runs: on SIGHUP the new file's Runtime
// replaces the old one as a whole. It is comparable.
type Runtime struct {
	// InsecurePeers allows peer traffic that is neither encrypted nor authenticated to leave the machine.
	InsecurePeers bool
	PeerTLS       PeerTLS // as written; see PeerMode
	TLS           TLS
	ProxyFrom     Prefixes // from where clients' connections must begin with a header of the PROXY protocol, version 2
	AdminHosts    Hosts    // host names under which a browser may ask for /status and the page, beside addresses and localhost
	Limits        Limits
	Auth          Auth
	Timeouts      Timeouts
	LogLevel      slog.Level
}

// TLS has the names of the files of certificates, as PEM; a relative one is relative to the working directory. Empty:
// none.
type TLS struct {
	CAFile   string // the authorities by which other nodes are known
	CertFile string // this node's certificate
	KeyFile  string
	// ClientCertFile and ClientKeyFile are the pair of the clients' ports; empty: the node's.
	ClientCertFile, ClientKeyFile string
	ClientCAFile                  string // the authorities of clients, who then need a certificate
}

// Limits bound what clients may use.
type Limits struct {
	MaxValueSize             int // bytes, 1 KiB to 1 MiB
	MaxConnections           int // client connections of this node, at least 1
	MaxConnectionsPerAddress int // of one client address; 0: no separate limit
	MaxConnectionsPerUser    int // sessions of one user on this node; 0: no limit
	MaxUsers                 int // accounts; 0: no limit
	// MaxMemory is what the items of all users may take, on every node alike: MemoryAuto, MemoryNone, or at least
	// 16 MiB. It is the cluster's: a node proposes what its own file says only when that has changed.
	MaxMemory Memory
	// RejectWhenFull is what happens at MaxMemory. false: items that have been used least are evicted; true: what
	// would grow beyond it is refused.
	RejectWhenFull bool
	// Quota is MaxMemory for each user without a quota of their own: MemoryNone, or at least 64 KiB; never MemoryAuto.
	Quota Memory
	// MaxOutput is how many bytes of replies all connections may hold while their clients do not read: then the
	// connections that hold most are closed. At least 1 MiB.
	MaxOutput int
	// Stall is how long a client may read nothing of its replies before its connection is closed; at least a
	// second.
	Stall time.Duration
}

// Auth is about sessions and passwords.
type Auth struct {
	SignupOpen bool // false: only the admin socket adds users
	// IdleTimeout ends a session that sends nothing for this long; 0: never.
	IdleTimeout  time.Duration
	LoginTimeout time.Duration // ends a connection that has not logged in
	HidePassword string        // HideNever, HideTelnet or HideAlways
	// BcryptCost of new hashes, 4 to 15: each step doubles the work of an attacker and of every first login.
	BcryptCost int
}

// Timeouts of a running node.
type Timeouts struct {
	Write    time.Duration // then a write is answered TIMEOUT
	Shutdown time.Duration // after SIGTERM, to finish what was accepted
}

// Values of Config.Newline, Config.LogFormat and Auth.HidePassword, and the words for Limits.RejectWhenFull.
const (
	NewlineLF   = "lf"
	NewlineCRLF = "crlf"

	LogAuto = "auto" // depends on where the log goes
	LogText = "text"
	LogJSON = "json"

	none = "none" // where nothing is configured

	WhenFullEvict  = "evict"
	WhenFullReject = "reject"

	HideNever  = "never"
	HideTelnet = "telnet" // only from clients that speak telnet
	HideAlways = "always"
)

// defaultText and so on are what a node of a cluster listens on by default.
const (
	defaultText     = ":8080"
	defaultPeer     = ":7000"
	defaultAdmin    = "127.0.0.1:8081"
	singleText      = "localhost:8080" // for trying out: not reachable from outside
	singleRedis     = "localhost:6379" // without a file only
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

// defaults returns the values before file and variables, for a node of a cluster or a single one.
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
			Limits: Limits{MaxValueSize: 512 << 10, MaxConnections: 10_000, MaxMemory: MemoryAuto, MaxOutput: 64 << 20, Stall: 30 * time.Second},
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
