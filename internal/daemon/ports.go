package daemon

import (
	"fmt"
	"net"
)

// ports are where clients connect.
type ports struct {
	plain, tls []net.Listener
}

// openPorts opens the ports that the configuration has, or none.
func (d *Daemon) openPorts() (p ports, err error) {
	if d.config.Text != "" {
		if p.plain, err = listenText(d.config.Text); err != nil {
			return p, err
		}
	}
	if d.config.TextTLS != "" {
		if p.tls, err = listenText(d.config.TextTLS); err != nil {
			closeAll(p.plain)
			return p, err
		}
	}
	return p, nil
}

func (p *ports) close() {
	closeAll(p.plain)
	closeAll(p.tls)
}

// servePorts serves clients until the server is shut down.
func (d *Daemon) servePorts() {
	serve := func(l net.Listener, serve func(net.Listener) error) {
		d.wg.Go(func() {
			if err := serve(l); err != nil {
				d.failed <- fmt.Errorf("serving %s: %w", l.Addr(), err)
			}
		})
	}
	for _, l := range d.ports.plain {
		serve(l, d.server.Serve)
	}
	for _, l := range d.ports.tls {
		serve(l, func(l net.Listener) error { return d.server.ServeTLS(l, d.encryption.forClients) })
	}
}

// Addr returns the address of the clients' text port; nil: there is none. It may have been opened on port 0.
func (d *Daemon) Addr() net.Addr { return address(d.ports.plain) }

// TLSAddr returns the address of the clients' port with TLS; nil: there is none.
func (d *Daemon) TLSAddr() net.Addr { return address(d.ports.tls) }

func address(listeners []net.Listener) net.Addr {
	if len(listeners) == 0 {
		return nil
	}
	return listeners[0].Addr()
}
