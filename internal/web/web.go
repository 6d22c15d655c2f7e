// Package web owns HTTP on listen.admin: health checks and the report, for load balancers, service managers and people.
//
// It promises that it only reads, that a health check waits for nothing, that slow clients are cut off, and that
// connections are limited. It never serves a key, a value or a name of a user.
package web

import (
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
)

// Server serves the port.
type Server struct{ http http.Server }

// New returns a server of reports. It starts nothing.
func New(reports func() report.Report, log hclog.Logger) *Server {
	return &Server{http.Server{
		Handler: handler(reports), ReadTimeout: idle, WriteTimeout: 2 * idle, IdleTimeout: idle,
		ErrorLog: log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}}
}

// Serve serves l until Close, and closes it. It returns l's error if l fails for good, and nil after Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(netutil.LimitListener(l, maxConns)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends all connections.
func (s *Server) Close() error { return s.http.Close() }

func handler(reports func() report.Report) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/live", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /health/ready", check(reports, (*report.Report).NotReady))
	mux.HandleFunc("GET /health/writable", check(reports, (*report.Report).NotWritable))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(reports()) // the client is gone if it fails
	})
	return mux
}

// check answers 200, or 503 with the reason.
func check(reports func() report.Report, not func(*report.Report) string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		r := reports()
		if why := not(&r); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
		}
	}
}
