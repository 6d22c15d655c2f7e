package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/redis"
	"ciderd/internal/session"

	"github.com/hashicorp/go-hclog"
)

const (
	maxRefusals    = 64 // connections over a limit that are being refused at a time
	acceptDelayMin = 5 * time.Millisecond
	acceptDelayMax = time.Second
)

// ErrClosed is returned by Serve on a server that has been shut down.
var ErrClosed = errors.New("server closed")

// Server serves clients. All methods may be called from any goroutine.
type Server struct {
	log      hclog.Logger
	config   atomic.Pointer[Config]
	sessions *session.Sessions
	redis    *redis.Sessions
	memory   *shares  // memory of all clients for long lines and the keys of KEYS
	backlog  *backlog // replies that they have not taken yet
	shaking  *handshakes
	warned   atomic.Pointer[time.Time] // when the log last told of a proxy, see warnOfProxy
	stopped  chan struct{}             // closed when no more connections are accepted
	running  sync.WaitGroup

	mu        sync.Mutex // protects all below
	stopping  bool
	draining  bool
	listeners map[net.Listener]struct{}
	unnamed   map[net.Conn]struct{} // of proxies that have not said yet who their clients are
	open      map[*socket]struct{}  // including refused ones
	refusing  int                   // of open
	addresses map[string]int        // connections of each, without refused ones

	accepted uint64 // since the start

	// Counting is what has been counted of all clients.
	Counting Counting
}

// New returns a server of node's data. It starts nothing.
func New(cfg Config, node session.Node, accounts *accounts.Accounts, log hclog.Logger) *Server {
	return newServer(cfg, session.Bounds{}, node, accounts, log)
}

func newServer(cfg Config, bounds session.Bounds, node session.Node, accounts *accounts.Accounts, log hclog.Logger) *Server {
	s := &Server{
		log:       log,
		sessions:  session.New(cfg.sessions(), bounds, node, accounts, log),
		memory:    newShares(lineMemory),
		backlog:   newBacklog(),
		shaking:   newHandshakes(),
		stopped:   make(chan struct{}),
		listeners: map[net.Listener]struct{}{},
		unnamed:   map[net.Conn]struct{}{},
		open:      map[*socket]struct{}{},
		addresses: map[string]int{},
	}
	s.Counting.ports = newPorts()
	s.redis = redis.New(cfg.Redis, s.sessions)
	s.SetConfig(cfg)
	return s
}

// SetConfig replaces the configuration.
func (s *Server) SetConfig(cfg Config) {
	full := cfg.withDefaults()
	s.config.Store(full)
	s.sessions.SetConfig(full.sessions())
	s.backlog.setLimit(full.MaxOutput)
}

// SetListBytes bounds what serves walks through keys: see session.Sessions.SetListBytes.
func (s *Server) SetListBytes(most int64) { s.sessions.SetListBytes(most) }

// Stats is about the connections of this node.
type Stats struct {
	Connections       int    // being served
	MaxConnections    int    // how many there may be; 0: any number
	Accepted, Refused uint64 // since the start
	Incoming          int64  // bytes that long lines and the keys of KEYS take beyond what each client may have
	Unread            int64  // bytes of replies held for clients that take nothing at present
	Sessions          session.Stats
}

// Connections returns how many connections are being served.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) - s.refusing
}

// SessionsOf returns how many sessions a user has here; id is the user's.
func (s *Server) SessionsOf(id uint64) int { return s.sessions.Of(id) }

// UserLoad is what a user has asked of this node.
type UserLoad = session.UserLoad

// Loads returns that of each user with a session here.
func (s *Server) Loads() []UserLoad { return s.sessions.Loads() }

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	st := Stats{Incoming: s.memory.inUse(), Unread: s.backlog.inUse(), Sessions: s.sessions.Stats()}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Connections, st.Accepted = len(s.open)-s.refusing, s.accepted
	st.MaxConnections = s.config.Load().MaxConnections
	for _, n := range s.Counting.Refused() {
		st.Refused += n
	}
	return st
}

// Serve accepts connections from l until Shutdown or Close, and closes l. It then returns nil, or l's error if l
// fails for good; running out of file descriptors does not count as that.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, port{}) }

// ServeTLS is Serve for clients that speak TLS. config is called for each handshake and may return another
// configuration each time, which it must not change any more: connections keep the one that they began with, and
// sessions are resumed only under the one that they were begun under. While it returns nil, connections are closed.
func (s *Server) ServeTLS(l net.Listener, config func() *tls.Config) error {
	return s.serve(l, port{tls: config})
}

// ServeRESP is Serve for clients that speak Redis' protocol, ServeTLS if config is not nil.
func (s *Server) ServeRESP(l net.Listener, config func() *tls.Config) error {
	return s.serve(l, port{tls: config, resp: true})
}

// port is what the clients of a listener speak.
type port struct {
	tls  func() *tls.Config // nil: they do not encrypt
	resp bool               // Redis' protocol
}

// name returns the port's name in the configuration.
func (p port) name() string {
	switch {
	case p.resp && p.tls != nil:
		return RedisTLS
	case p.resp:
		return Redis
	case p.tls != nil:
		return TextTLS
	}
	return Text
}

// serve serves a client until it ends.
func (p port) serve(s *Server, k *socket) {
	if p.resp {
		newRESPClient(s, k, p).run()
		return
	}
	newTextClient(s, k, p).run()
}

func (s *Server) serve(l net.Listener, p port) error {
	defer l.Close()
	if !s.listen(l) {
		return ErrClosed
	}
	delay := time.Duration(0)
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			delay = 0
			s.admit(conn, p)
			continue
		case s.isStopping():
			return nil
		case !passes(err):
			return err
		}
		if delay == 0 {
			s.log.Warn("cannot accept connections for now", "error", err, "cure", cure(err))
		}
		delay = min(max(2*delay, acceptDelayMin), acceptDelayMax)
		select {
		case <-time.After(delay):
		case <-s.stopped:
			return nil
		}
	}
}

// passes reports whether an error of Accept is about one connection, or about a temporary shortage.
func passes(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR, syscall.EPROTO, syscall.EPERM:
		return true
	}
	return false
}

// cure returns what an operator can do about an error of Accept.
func cure(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE):
		return "this process is out of file descriptors: raise its limit (LimitNOFILE in the unit, ulimit -n in a shell), or lower limits.max_connections"
	case errors.Is(err, syscall.ENFILE):
		return "the machine is out of file descriptors: raise fs.file-max"
	case errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.ENOBUFS):
		return "the machine is out of memory for sockets"
	}
	return "it is tried again"
}

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// Shutdown refuses new connections, lets each session finish the commands that it has read, answers SHUTTING_DOWN
// and closes it; a long KEYS is not finished. It returns when all have ended, or with ctx's error after closing
// those that have not.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.mu.Lock()
	for k := range s.open {
		k.end(endShutdown)
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		s.sessions.Close()
		return nil
	case <-ctx.Done():
		s.closeAll()
		<-ended
		return context.Cause(ctx)
	}
}

// Close closes all connections and waits for their sessions. A write in flight may still be done.
func (s *Server) Close() error {
	s.stop()
	s.closeAll()
	s.running.Wait()
	return nil
}

func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	s.stopping = true
	close(s.stopped)
	s.sessions.Stop()
	for l := range s.listeners {
		l.Close()
	}
	for conn := range s.unnamed {
		conn.Close()
	}
}

func (s *Server) closeAll() {
	s.sessions.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.open {
		k.conn.Close()
	}
}
