// Package web owns HTTP on listen.admin: metrics, health checks, the report and the page that shows it, for Prometheus,
// load balancers, service managers and people.
//
// It promises that it only reads, that a health check waits for nothing, that slow clients are cut off, that connections
// are limited, and that no stranger's page in a browser can read the report under a name that is not this node's. It never serves a
// key, a value or a name of a user.
package web

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"

	"ciderd/internal/report"
)

const (
	// maxConns is how many connections are served at a time; more wait for a place. Each that says nothing gives it up
	// after idle.
	maxConns = 256
	idle     = 5 * time.Second
	// maxHeader is the most that a request's header may have, in bytes.
	maxHeader = 16 << 10
)

// Config is what the server shows. Its functions may be called from any goroutine.
type Config struct {
	Report func() report.Report
	// Full asks the other nodes, which takes a second at most.
	Full func(ctx context.Context) report.Full
	// Past is the last quarter of an hour of this node.
	Past    func() report.Past
	Metrics http.Handler
	// Hosts returns the names under which the report may be asked for, beside addresses and localhost.
	Hosts func() []string
	// TLS is called for each handshake; nil: plain HTTP is spoken.
	TLS func() *tls.Config
	Log hclog.Logger
}

// Server serves the port.
type Server struct {
	http http.Server
	tls  func() *tls.Config
}

// New returns a server. It starts nothing.
func New(c Config) *Server {
	return &Server{tls: c.TLS, http: http.Server{
		Handler: readOnly(handler(c)), ReadTimeout: idle, WriteTimeout: 2 * idle, IdleTimeout: idle, MaxHeaderBytes: maxHeader,
		ErrorLog: c.Log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}}
}

// Serve serves l until Close, and closes it. It returns l's error if l fails for good, and nil after Close.
func (s *Server) Serve(l net.Listener) error {
	l = netutil.LimitListener(l, maxConns)
	if s.tls != nil {
		l = tls.NewListener(l, &tls.Config{GetConfigForClient: s.configForClient})
	}
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

var errNoCertificate = errors.New("there is no certificate")

// configForClient is the clients' configuration, but nobody is asked for a certificate: all that is served here may be
// read by whoever reaches the port.
func (s *Server) configForClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	c := s.tls()
	if c == nil {
		return nil, errNoCertificate
	}
	c = c.Clone()
	c.ClientAuth, c.NextProtos, c.GetConfigForClient = tls.NoClientCert, []string{"http/1.1"}, nil
	return c, nil
}

// Close ends all connections.
func (s *Server) Close() error { return s.http.Close() }

func handler(c Config) http.Handler {
	mux := http.NewServeMux()
	for _, h := range healths {
		mux.HandleFunc(h.path, h.serve(c.Report))
	}
	mux.Handle("/metrics", c.Metrics)
	mux.Handle("/status", named(c.Hosts, func(w http.ResponseWriter, q *http.Request) { answer(w, c.Full(q.Context())) }))
	mux.Handle("/status/history", named(c.Hosts, func(w http.ResponseWriter, _ *http.Request) { answer(w, c.Past()) }))
	mux.Handle("/{$}", named(c.Hosts, servePage))
	return mux
}

// answer writes facts as JSON.
func answer(w http.ResponseWriter, facts any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(facts) // the client is gone if it fails
}
