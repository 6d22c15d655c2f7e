package session

import (
	"context"
	"iter"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/accounts"
	"ciderd/internal/clock"
	"ciderd/internal/protocol"
	"ciderd/internal/tally"
)

// Node is what sessions need of the node that they run on. All methods may be called from any goroutine.
type Node interface {
	accounts.Node
	// Clock is the time by which reads hide what has expired.
	Clock() *clock.Clock
	// Sync returns once this node has applied every write that anyone had been told OK for before
	// the call, or with one of pipeline's errors, or with ctx's.
	Sync(ctx context.Context) error
	// Facts are the names and values of STATUS, in their order: how this node and its cluster are.
	Facts() iter.Seq2[string, string]
	// Self returns this node's name and its role now; either may be empty.
	Self() (name, role string)
}

// Client is what a session needs of its client's connection.
type Client interface {
	// Address is the client address: what counts as one client.
	Address() string
	// End has the session end before its next request, at once if it is waiting for one. It is called
	// from any goroutine, when the user's password has changed or the account is gone.
	End()
	// Ended reports whether End has been called in time to be the reason for the end.
	Ended() bool
	// HungUp reports whether the client has reset the connection: then nobody will see its replies.
	HungUp() bool
	// Watch returns ctx, ending with ErrHungUp when the client resets the connection; stop ends the
	// watch and must be called, by the session's goroutine.
	Watch(ctx context.Context) (watched context.Context, stop func())
	// Take notes n more bytes that are held for the client, and reports whether it may have them.
	// They are to be given back in any case.
	Take(n int64) bool
	Give(n int64)
}

// Config is what sessions can be told, and told anew while they run.
type Config struct {
	MaxValue     int           // bytes; 0: protocol.DefaultValue
	LoginTimeout time.Duration // for a login, however busy the client; 0: a minute
	WriteTimeout time.Duration // of a write or a SYNC, then TIMEOUT; 0: five seconds
	MaxPerUser   int           // sessions that a user may have here; 0: any number
	IdleTimeout  time.Duration // which the connections keep, see IdleTimeout; 0: none
	Version      string        // of ciderd, for VERSION and STATUS
}

func (c Config) withDefaults() *Config {
	if c.MaxValue == 0 {
		c.MaxValue = protocol.DefaultValue
	}
	if c.LoginTimeout == 0 {
		c.LoginTimeout = time.Minute
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = 5 * time.Second
	}
	return &c
}

// Bounds are on what KEYS takes; 0 is the default of each.
type Bounds struct {
	Scans     int // how many look at keys at a time: half of the cores
	ScanSteps int // what one may take, see protocol.Glob.Steps: some seconds
	ScanBytes int // how many bytes of keys one answers with: 16 MiB
}

func (b Bounds) withDefaults() Bounds {
	if b.Scans == 0 {
		b.Scans = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if b.ScanSteps == 0 {
		b.ScanSteps = scanSteps
	}
	if b.ScanBytes == 0 {
		b.ScanBytes = scanBytes
	}
	return b
}

// Sessions is all sessions of a node. All methods may be called from any goroutine.
type Sessions struct {
	node     Node
	accounts *accounts.Accounts
	log      hclog.Logger
	config   atomic.Pointer[Config]
	bounds   Bounds
	started  time.Time
	users    *registry
	scans    places // for each KEYS that may look at keys at a time
	open     atomic.Int64
	scanning atomic.Int64 // KEYS that wait for a place, or have one
	draining atomic.Bool
	looked   atomic.Uint64 // keys that KEYS have looked at
	lists    keyLists
	seeding  places // for the one SCAN that may propose a seed
	scripts  turns  // for each script that may run at a time
	fair     fairShares
	crowded  atomic.Uint64 // logins that were refused, as their users had too many sessions

	ctx      context.Context // ends with Close: what still waits for bcrypt or SYNC gives up
	cancel   context.CancelFunc
	waits    context.Context // ends with Stop already: what waits for a login or a scan has nothing to finish
	endWaits context.CancelFunc
}

// New returns the sessions of a node. It starts nothing.
func New(cfg Config, bounds Bounds, node Node, accounts *accounts.Accounts, log hclog.Logger) *Sessions {
	bounds = bounds.withDefaults()
	all := &Sessions{
		node: node, accounts: accounts, log: log, bounds: bounds, started: time.Now(),
		users: newRegistry(node.FSM()), scans: make(places, bounds.Scans), seeding: make(places, 1),
		scripts: turns{free: runtime.GOMAXPROCS(0)},
	}
	all.ctx, all.cancel = context.WithCancel(context.Background())
	all.waits, all.endWaits = context.WithCancel(all.ctx)
	all.SetConfig(cfg)
	all.SetListBytes(0)
	node.FSM().Watch(all.users.changed)
	return all
}

// SetConfig replaces the configuration. It holds from the next request on.
func (all *Sessions) SetConfig(cfg Config) { all.config.Store(cfg.withDefaults()) }

// SetListBytes bounds the lists that walks through keys are served from, of all users together; 0: 16 MiB. A walk for
// whose keys there is no room gets one list after the other, each of a part of the keys. If not even two pages fit in,
// each page looks at all keys.
func (all *Sessions) SetListBytes(most int64) { all.lists.setMost(most) }

// Stop ends the waits of logins and scans. It does not end the sessions: their connections do.
func (all *Sessions) Stop() { all.endWaits() }

// Close ends all waits, but those for writes, which the node ends.
func (all *Sessions) Close() {
	all.cancel()
	all.fair.close()
	all.lists.close()
}

// Open returns a session that nobody is logged in to. It must be closed. Its commands are counted in a table, by the
// numbers of verbs, or of what its protocol has instead.
func (all *Sessions) Open(client Client, reply protocol.Reply, table *tally.Table) *Session {
	s := &Session{all: all, client: client, stripe: uint8(all.open.Add(1) % stripes)}
	s.answers = answers{Reply: reply, all: all}
	s.Work.session = s
	s.Commands = Commands{meter: table.Meter(), reply: reply}
	s.reads = reads{answers: &s.answers, clock: all.node.Clock()}
	s.writes = writes{answers: &s.answers, commands: &s.Commands}
	s.startLogin()
	return s
}

// MaxValue is the limit on a value, in bytes.
func (all *Sessions) MaxValue() int { return all.config.Load().MaxValue }

// Rejects reports whether at the limit on memory what would grow beyond it is refused; else items are evicted.
func (all *Sessions) Rejects() bool {
	limits, _ := all.node.FSM().Shares().Limits()
	return limits.Reject
}

// IdleTimeout is how long a session that is logged in may send nothing; 0: for ever.
func (all *Sessions) IdleTimeout() time.Duration { return all.config.Load().IdleTimeout }

// SetDraining says whether this node takes no clients for now.
func (all *Sessions) SetDraining(on bool) { all.draining.Store(on) }

// Serving reports whether reads are served here, now and for the time to come.
func (all *Sessions) Serving() bool {
	return all.node.Ready() && all.waits.Err() == nil && !all.draining.Load()
}

// Of returns how many sessions a user has here; id is the user's.
func (all *Sessions) Of(id uint64) int {
	r := all.users
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.users[id]; u != nil {
		return len(u.sessions)
	}
	return 0
}

// Stats is about the sessions of this node since it started.
type Stats struct {
	Open     int    // sessions
	LoggedIn int    // of these
	Users    int    // that have logged in here and still have an account
	Scanning int    // KEYS that have not found all they are to answer
	Scans    int    // of these, that look at keys now
	Crowded  uint64 // logins that were refused, as their users had too many sessions here
	Looked   uint64 // keys that KEYS have looked at: one by one, or all for a list that serves the pages that follow
	// What has been asked of the users' caches, as STATS counts it.
	Hits, Misses, Writes uint64
}

// Stats returns the counts so far. It waits for nobody.
func (all *Sessions) Stats() Stats {
	r := all.users
	hits, misses, writes := r.served()
	return Stats{
		Open: int(all.open.Load()), LoggedIn: int(r.loggedIn.Load()), Users: int(r.known.Load()),
		Scanning: int(all.scanning.Load()), Scans: len(all.scans), Looked: all.looked.Load(), Crowded: all.crowded.Load(),
		Hits: hits, Misses: misses, Writes: writes,
	}
}

// UserLoad is what a user has asked of this node since it started, as STATS counts it.
type UserLoad struct {
	ID            uint64
	Sessions      int // now
	Reads, Writes uint64
}

// Loads returns that of each user with a session here. It looks at each of them, and logins wait meanwhile.
func (all *Sessions) Loads() (loads []UserLoad) {
	r := all.users
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, u := range r.users {
		if len(u.sessions) > 0 {
			reads := u.counts.hits.Load() + u.counts.misses.Load()
			loads = append(loads, UserLoad{ID: id, Sessions: len(u.sessions), Reads: reads, Writes: u.counts.writes.Load()})
		}
	}
	return loads
}
