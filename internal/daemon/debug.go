package daemon

import (
	"context"
	"io"
	"net/http"
	"time"

	"ciderd/internal/bundle"
	"ciderd/internal/machine"
	"ciderd/internal/metrics"
)

// profileFor is how long the processor is watched for an archive.
const profileFor = 5 * time.Second

// debug writes the archive for a ticket.
func (o operators) debug(ctx context.Context, to io.Writer) error {
	d := o.d
	s := bundle.Source{
		Node: d.config.NodeName, Version: d.version, Full: d.reports.Full, Past: d.reports.Past, Config: d.describe, File: d.config.File(),
		Metrics: d.metrics, Log: d.logs.Recent, Root: machine.Root(), Profile: profileFor,
	}
	return s.Write(ctx, to)
}

// describe returns the settings that hold.
func (d *Daemon) describe() string {
	d.runtime.Lock()
	c := *d.config
	d.runtime.Unlock()
	return c.Describe()
}

// metrics returns what answers scrapes; while the node opens there is none.
func (d *Daemon) metrics() http.Handler {
	s := d.serving.Load()
	if s == nil {
		return http.NotFoundHandler()
	}
	return metrics.Handler(metrics.Source{
		Report: d.reports.Report, Ports: d.ports.names(), Counts: s.Counting.Of, Refused: s.Counting.Refused,
		Certificates: d.encryption.expiry,
	})
}
