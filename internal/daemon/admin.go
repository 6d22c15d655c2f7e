package daemon

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"

	"ciderd/internal/cluster"
)

// processStatus is what /status answers.
type processStatus struct {
	cluster.Status
	Goroutines int // of this process: what grows without end is a leak
}

// maxHealth is how many connections the health port serves at a time; more wait for a place. Each that says nothing
// gives it up after healthIdle.
const (
	maxHealth  = 256
	healthIdle = 5 * time.Second
)

// openAdmin serves /health/live, /health/ready, /health/writable and /status on the admin address. A node does its
// work without that port, so failing to bind it is a warning: several nodes on one machine share
// the default address.
func (d *Daemon) openAdmin() {
	if d.config.Admin == "" {
		return
	}
	l, err := net.Listen("tcp", d.config.Admin)
	if err != nil {
		d.log.Warn("no health port", "error", err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	})
	mux.HandleFunc("GET /health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !d.node.Ready() {
			http.Error(w, d.node.Status().Waiting, http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /health/writable", func(w http.ResponseWriter, _ *http.Request) {
		switch s := d.node.Status(); {
		case !s.Ready:
			http.Error(w, s.Waiting, http.StatusServiceUnavailable)
		case !s.Writes:
			http.Error(w, "no leader, or no majority answers; "+s.Waiting, http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		status := processStatus{d.node.Status(), runtime.NumGoroutine()}
		_ = json.NewEncoder(w).Encode(status) // the client is gone if it fails
	})
	d.admin = &http.Server{
		Handler: mux, ReadTimeout: healthIdle, WriteTimeout: 2 * healthIdle, IdleTimeout: healthIdle,
		ErrorLog: d.log.Named("health").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	d.wg.Go(func() {
		if err := d.admin.Serve(netutil.LimitListener(l, maxHealth)); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- err
		}
	})
}
