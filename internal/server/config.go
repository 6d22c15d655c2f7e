package server

import (
	"context"
	"time"

	"ciderd/internal/clock"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
)

// Node is what the sessions need of the node that they run on. All methods may be called from any
// goroutine.
type Node interface {
	// Ready is false until this node has caught up after its start; until then logins and all that
	// touches a cache are answered LOADING.
	Ready() bool
	// FSM is the replicated state that reads are served from.
	FSM() *fsm.FSM
	// Clock is the time by which reads hide what has expired.
	Clock() *clock.Clock
	// Propose hands a group to the write path, which takes its commands over. It has at most 1,024 commands,
	// 256 KiB and as much work, unless it is a single command.
	Propose(g fsm.Group, timeout time.Duration) Proposal
	// Reads tells whether every server of the cluster reads entries of a version: until then no command is
	// proposed that needs it (fsm.Op.Since).
	Reads(version int) bool
	// Sync returns once this node has applied every write that anyone had been told OK for before
	// the call, or with one of cluster's errors, or with ctx's.
	Sync(ctx context.Context) error
	// Status is what this node knows of itself and its cluster.
	Status() cluster.Status
}

// Proposal is a group of commands on its way.
type Proposal interface {
	// Wait blocks until the group is done and returns a result for each command, in order. The error
	// is cluster.ErrBusy, ErrNoLeader, ErrTimeout or ErrShutdown and holds for all of them.
	Wait() ([]fsm.Result, error)
}

// Hasher is what the sessions need of auth.Hasher; its methods' comments hold.
type Hasher interface {
	Hash(ctx context.Context, addr string, password []byte) ([]byte, error)
	Verify(ctx context.Context, addr, user string, hash, password []byte) error
	VerifyEither(ctx context.Context, addr, user string, hash, first, second []byte) error
	Remember(addr, user string, hash, password []byte)
}

// When the password is hidden while it is typed.
const (
	HideNever  = "never"
	HideTelnet = "telnet" // from clients that have sent a telnet command themselves
	HideAlways = "always"
)

// Config is what a server can be told, and told anew while it runs (SetConfig). Connections that are
// open keep the Newline they began with; all else holds from the next command on.
type Config struct {
	MaxValue       int           // bytes; 0: protocol.DefaultValue
	MaxConnections int           // 0: no limit
	MaxPerAddress  int           // of one client address (IPv6: of one /64); 0: no limit
	MaxUsers       int64         // 0: no limit
	SignupClosed   bool          // SIGNUP is answered SIGNUP_CLOSED
	IdleTimeout    time.Duration // without a byte from a session that is logged in; 0: never
	LoginTimeout   time.Duration // from the banner to the login, however busy the client; 0: a minute
	WriteTimeout   time.Duration // of a write or a SYNC, then TIMEOUT; 0: five seconds
	// StallTimeout is how long a client may take nothing of its replies before it is cut off; up to
	// half as long again is possible. Meanwhile the session reads nothing. 0: half a minute.
	StallTimeout time.Duration
	// MaxOutput is how many bytes of replies sessions may hold together while their clients take nothing; the
	// largest are cut off. 0: 64 MiB.
	MaxOutput    int64
	HidePassword string // HideNever, HideTelnet or HideAlways; empty: HideNever
	CRLF         bool   // lines end in CR LF instead of LF
	Version      string // of ciderd, for VERSION and STATUS
}

func (c Config) withDefaults() *Config {
	setDefault(&c.MaxValue, defaultMaxValue)
	setDefault(&c.LoginTimeout, time.Minute)
	setDefault(&c.WriteTimeout, 5*time.Second)
	setDefault(&c.StallTimeout, 30*time.Second)
	setDefault(&c.MaxOutput, 64<<20)
	setDefault(&c.HidePassword, HideNever)
	setDefault(&c.Version, "unknown")
	return &c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
