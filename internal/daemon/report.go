package daemon

import (
	"context"
	"encoding/json"
	"net"
	"sync/atomic"
	"time"

	"ciderd/internal/cluster"
	"ciderd/internal/machine"
	"ciderd/internal/report"
	"ciderd/internal/server"
	"ciderd/internal/web"
)

// reporting is where the parts of a node's reports come from.
type reporting struct {
	*Daemon
	server  *atomic.Pointer[server.Server] // nil in it: there is none yet
	cluster *cluster.Reports
}

// source returns the source of this node's reports.
func (r reporting) source() *report.Source {
	s := &report.Source{
		Status: r.node.Status, Log: r.node.Stats, Clients: r.clients, Accounts: r.accounts.Stats, Logins: r.hasher.Stats,
		State: r.node.FSM().Stats, Version: r.version, Started: time.Now(), PeerTLS: r.peerTLS,
		Draining: r.draining.Load,
		Notices:  func() []string { return r.encryption.notices(time.Now()) },
		Load:     r.load, Asking: r.asking, Others: r.others, Machine: machineNow, Certificates: r.encryption.expiry,
		Settings: func() map[string]string { return *r.alike.Load() },
	}
	if len(r.ports.plain) > 0 {
		s.Address = r.config.Text
		for _, n := range r.config.Nodes {
			if n.Name == r.config.NodeName && n.TextAddress != "" {
				s.Address = n.TextAddress
			}
		}
	}
	s.History = report.NewHistory(s.Counters)
	return s
}

// clients returns the server's counts; zero before there is a server.
func (r reporting) clients() server.Stats {
	if s := r.server.Load(); s != nil {
		return s.Stats()
	}
	return server.Stats{}
}

func (r reporting) load() server.Load {
	if s := r.server.Load(); s != nil {
		return s.Counting.Load()
	}
	return server.Load{}
}

func (r reporting) asking() []server.UserLoad {
	if s := r.server.Load(); s != nil {
		return s.Loads()
	}
	return nil
}

// others asks the other nodes what they say of themselves.
func (r reporting) others(ctx context.Context) (all []report.Said) {
	for _, o := range r.cluster.Ask(ctx) {
		said := report.Said{Name: o.Node, Address: o.Address, Text: o.Text, Reason: o.Reason, Took: o.Took}
		if o.Older {
			said.Reason = report.OlderRelease
		}
		all = append(all, said)
	}
	return all
}

// newReports returns what nodes say of themselves, of this one once telling has its source.
func newReports(telling *atomic.Pointer[report.Source]) *cluster.Reports {
	return &cluster.Reports{Tell: func() json.RawMessage {
		if s := telling.Load(); s != nil {
			return s.Tell()
		}
		return nil
	}}
}

// machineNow returns what the process takes of its machine.
func machineNow() (m report.Machine) {
	root := machine.Root()
	m.Memory, m.Resident = machineMemory(), machine.Taken(root).Anonymous
	m.OpenFiles, m.MaxFiles = machine.Files(root)
	return m
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
	d.web = web.New(webConfig(d))
	d.wg.Go(func() {
		if err := d.web.Serve(l); err != nil {
			d.failed <- err
		}
	})
}

func webConfig(d *Daemon) web.Config {
	c := web.Config{
		Report: d.reports.Report, Full: (&report.Recent{Source: d.reports}).Full, Log: d.log.Named("health"),
		Hosts:   func() []string { return d.hosts.Load().List() },
		Metrics: d.metrics(), Past: d.reports.Past,
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
