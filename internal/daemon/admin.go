package daemon

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/cluster"
)

// processStatus is what /status answers.
type processStatus struct {
	cluster.Status
	Goroutines int // of this process: what grows without end is a leak
}

// openAdmin serves /health/live, /health/ready and /status on the admin address. A node does its
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
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		status := processStatus{d.node.Status(), runtime.NumGoroutine()}
		_ = json.NewEncoder(w).Encode(status) // the client is gone if it fails
	})
	d.admin = &http.Server{
		Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		ErrorLog: d.log.Named("health").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	d.wg.Go(func() {
		if err := d.admin.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- err
		}
	})
}
