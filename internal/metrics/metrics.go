// Package metrics owns what Prometheus is told of a node: the names of the metrics, which alert rules and dashboards rely
// on, and how they are made of what the rooms have counted. Raft's own are passed on as raft_….
//
// It promises that a scrape reads only what is counted already and waits for nobody, that each series whose labels have
// fixed values is there from the start, and that no label's values grow with users or keys. It never counts anything
// itself, and tells no key, no value and no name of a user.
package metrics

import (
	"io"
	"log"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ciderd/internal/report"
	"ciderd/internal/server"
)

// Source is where the numbers come from. Its functions may be called from any goroutine, and do not wait.
type Source struct {
	Report       func() report.Report
	Ports        []string // of clients that are served, by their names in the configuration
	Counts       func(port string) server.Counts
	Refused      func() map[string]uint64    // connections, by the setting that bounds them
	Certificates func() map[string]time.Time // when the files expire
}

// scrapes is how many there may be at a time; more are answered 503. One takes some milliseconds.
const scrapes = 4

// Handler answers scrapes.
func Handler(s Source) http.Handler {
	all := prometheus.NewRegistry()
	all.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&collector{source: s}, raftSink(),
	)
	return promhttp.HandlerFor(all, promhttp.HandlerOpts{
		MaxRequestsInFlight: scrapes, ErrorLog: log.New(io.Discard, "", 0), ErrorHandling: promhttp.ContinueOnError,
	})
}

// collector makes metrics of a reading.
type collector struct{ source Source }

// reading is what the rooms say at one moment.
type reading struct {
	report.Report
	ports        []server.Counts
	refused      map[string]uint64
	certificates map[string]time.Time
}

func (c *collector) read() *reading {
	r := &reading{Report: c.source.Report(), refused: c.source.Refused(), certificates: c.source.Certificates()}
	for _, port := range c.source.Ports {
		r.ports = append(r.ports, c.source.Counts(port))
	}
	return r
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for i := range families {
		to <- families[i].desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	r := c.read()
	for i := range families {
		families[i].collect(r, to)
	}
}
