package daemon

import (
	"context"
	"encoding/json"
	"net"
	"time"

	"ciderd/internal/machine"
	"ciderd/internal/metrics"
	"ciderd/internal/report"
	"ciderd/internal/server"
	"ciderd/internal/web"
)

// source returns the source of this node's reports.
func (d *Daemon) source() *report.Source {
	s := &report.Source{
		Status: d.node.Status, Log: d.node.Stats, Clients: d.clients, Accounts: d.accounts.Stats, Logins: d.hasher.Stats,
		State: d.node.FSM().Stats, Version: d.version, Started: time.Now(), PeerTLS: d.peerTLS,
		Notices: func() []string { return d.encryption.notices(time.Now()) },
		Load:    d.load, Others: d.others, Machine: machineNow, MaxConnections: d.maxConnections, Certificates: d.encryption.expiry,
		Settings: func() map[string]string { return *d.alike.Load() },
	}
	if len(d.ports.plain) > 0 {
		s.Address = d.config.Text
		for _, n := range d.config.Nodes {
			if n.Name == d.config.NodeName && n.TextAddress != "" {
				s.Address = n.TextAddress
			}
		}
	}
	s.History = report.NewHistory(s.Counters)
	return s
}

func (d *Daemon) load() server.Load {
	if s := d.serving.Load(); s != nil {
		return s.Load()
	}
	return server.Load{}
}

func (d *Daemon) maxConnections() int {
	if s := d.serving.Load(); s != nil {
		return s.MaxConnections()
	}
	return 0
}

// others asks the other nodes what they say of themselves.
func (d *Daemon) others(ctx context.Context) (all []report.Said) {
	for _, o := range d.node.AskReports(ctx) {
		said := report.Said{Name: o.Node, Address: o.Address, Text: o.Text, Reason: o.Reason, Took: o.Took}
		if o.Older {
			said.Reason = report.OlderRelease
		}
		all = append(all, said)
	}
	return all
}

// tell returns what this node says of itself to others; nil: it is not that far yet.
func (d *Daemon) tell() json.RawMessage {
	if s := d.telling.Load(); s != nil {
		return s.Tell()
	}
	return nil
}

// machineNow returns what the process takes of its machine.
func machineNow() (m report.Machine) {
	root := machine.Root()
	m.Memory, m.Resident = machineMemory(), machine.Taken(root).Anonymous
	m.OpenFiles, m.MaxFiles = machine.Files(root)
	return m
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
		Report: d.reports.Report, Full: d.reports.Full, Log: d.log.Named("health"),
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
