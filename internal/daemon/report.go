package daemon

import (
	"net"
	"time"

	"ciderd/internal/metrics"
	"ciderd/internal/report"
	"ciderd/internal/server"
	"ciderd/internal/web"
)

// source returns the source of this node's reports.
func (d *Daemon) source() *report.Source {
	return &report.Source{
		Status: d.node.Status, Log: d.node.Stats, Clients: d.clients, Accounts: d.accounts.Stats, Logins: d.hasher.Stats,
		State: d.node.FSM().Stats, Version: d.version, Started: time.Now(), PeerTLS: d.peerTLS,
		Draining: d.draining.Load,
		Notices:  func() []string { return d.encryption.notices(time.Now()) },
	}
}

// clients returns the server's counts; zero before there is a server.
func (d *Daemon) clients() server.Stats {
	if s := d.serving.Load(); s != nil {
		return s.Stats()
	}
	return server.Stats{}
}

// openWeb serves listen.admin. A node works without that port, so failing to bind it is a warning: several nodes on
// one machine share the default address.
func (d *Daemon) openWeb() {
	if d.config.Admin == "" {
		return
	}
	l, err := net.Listen("tcp", d.config.Admin)
	if err != nil {
		d.log.Warn("no health port", "error", err)
		return
	}
	d.webPort = l
	d.web = web.New(d.webConfig())
	d.wg.Go(func() {
		if err := d.web.Serve(l); err != nil {
			d.failed <- err
		}
	})
}

func (d *Daemon) webConfig() web.Config {
	c := web.Config{
		Report: d.reports.Report, Log: d.log.Named("health"),
		Hosts: func() []string { return d.hosts.Load().List() },
		Metrics: metrics.Handler(metrics.Source{
			Report: d.reports.Report, Ports: d.ports.names(), Counts: d.server.Counts, Refused: d.server.Refused,
			Certificates: d.encryption.expiry,
		}),
	}
	if d.config.AdminTLS {
		c.TLS = d.encryption.forClients
	}
	return c
}

// WebAddr returns the address of listen.admin; nil: it is not served.
func (d *Daemon) WebAddr() net.Addr {
	if d.webPort == nil {
		return nil
	}
	return d.webPort.Addr()
}
