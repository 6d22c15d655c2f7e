package server

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/protocol"
)

const (
	defaultMaxValue = protocol.DefaultValue
	maxRefusals     = 64 // connections over a limit that are being told so at a time
	acceptDelayMin  = 5 * time.Millisecond
	acceptDelayMax  = time.Second
)

// ErrClosed is returned by Serve on a server that has been shut down.
var ErrClosed = errors.New("server closed")

// Server serves client sessions. All methods may be called from any goroutine.
type Server struct {
	node    Node
	hasher  Hasher
	log     hclog.Logger
	config  atomic.Pointer[Config]
	started time.Time
	users   *registry
	memory  *shares  // what long lines and the keys of KEYS take, of all sessions
	backlog *backlog // what they have yet to send
	scans   places   // for each KEYS that may run at a time

	scanBytes, scanSteps int // the constants, except in tests

	ctx      context.Context // ends with Close: whoever still waits for bcrypt or SYNC gives up
	cancel   context.CancelFunc
	waits    context.Context // ends with Shutdown already: who waits for a login or a scan has nothing to finish
	endWaits context.CancelFunc
	stopped  chan struct{} // closed when no more connections are wanted
	running  sync.WaitGroup

	mu        sync.Mutex // protects all below
	stopping  bool
	listeners map[net.Listener]struct{}
	sessions  map[*session]struct{} // refused ones too
	refused   int                   // of sessions
	addresses map[string]int        // sessions of each, without refused ones
}

// New returns a server of node's data. It starts nothing.
func New(cfg Config, node Node, hasher Hasher, log hclog.Logger) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	waits, endWaits := context.WithCancel(ctx)
	s := &Server{
		node: node, hasher: hasher, log: log, started: time.Now(),
		users:     newRegistry(node.FSM()),
		memory:    newShares(lineMemory),
		backlog:   newBacklog(),
		scans:     make(places, max(1, runtime.GOMAXPROCS(0)/2)),
		scanBytes: scanBytes,
		scanSteps: scanSteps,
		ctx:       ctx,
		cancel:    cancel,
		waits:     waits,
		endWaits:  endWaits,
		stopped:   make(chan struct{}),
		listeners: map[net.Listener]struct{}{},
		sessions:  map[*session]struct{}{},
		addresses: map[string]int{},
	}
	s.SetConfig(cfg)
	node.FSM().Watch(s.users.changed)
	return s
}

// SetConfig replaces the configuration.
func (s *Server) SetConfig(cfg Config) {
	full := cfg.withDefaults()
	s.config.Store(full)
	s.backlog.setLimit(full.MaxOutput)
}

// Sessions counts the connections being served.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions) - s.refused
}

// Serve accepts connections from l until Shutdown or Close, and closes l. It returns nil then, and
// l's error if l fails for good; running out of file descriptors does not count as that.
func (s *Server) Serve(l net.Listener) error {
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
			s.admit(conn)
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

// passes says whether an error of Accept is about one connection, or about a shortage that ends.
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

// cure is what a person can do about an error of Accept.
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

// Shutdown refuses new connections, lets each session finish the commands that it has read, answers
// SHUTTING_DOWN and closes it; a KEYS that takes long is not finished. It returns when all have ended;
// or with ctx's error after cutting off those that have not.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.mu.Lock()
	for session := range s.sessions {
		session.end(endShutdown)
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		s.cancel()
		return nil
	case <-ctx.Done():
		s.cut()
		<-ended
		return context.Cause(ctx)
	}
}

// Close cuts all connections off and waits for their sessions. A write on its way may still be done.
func (s *Server) Close() error {
	s.stop()
	s.cut()
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
	s.endWaits()
	for l := range s.listeners {
		l.Close()
	}
}

func (s *Server) cut() {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		session.conn.Close()
	}
}
