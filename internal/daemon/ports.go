package daemon

import (
	"fmt"
	"net"

	"ciderd/internal/server"
)

// ports are where clients connect.
type ports struct {
	plain, tls      []net.Listener
	redis, redisTLS []net.Listener
}

// openPorts opens the ports that the configuration has, or none. Of the port that a node has for clients of Redis without
// having been told so, a warning is enough if another process has it.
func (d *Daemon) openPorts() (p ports, err error) {
	c := d.config
	for _, port := range []struct {
		at        string
		listeners *[]net.Listener
	}{{c.Text, &p.plain}, {c.TextTLS, &p.tls}, {c.Redis, &p.redis}, {c.RedisTLS, &p.redisTLS}} {
		if port.at == "" {
			continue
		}
		*port.listeners, err = listenClients(port.at)
		switch {
		case err == nil:
		case c.RedisByDefault && port.listeners == &p.redis:
			d.log.Warn("nothing is served for clients of Redis", "error", err)
		default:
			p.close()
			return ports{}, err
		}
	}
	return p, nil
}

// names returns the names of those that are open.
func (p *ports) names() (names []string) {
	for i, listeners := range [][]net.Listener{p.plain, p.tls, p.redis, p.redisTLS} {
		if len(listeners) > 0 {
			names = append(names, server.Ports[i])
		}
	}
	return names
}

func (p *ports) close() {
	for _, listeners := range [][]net.Listener{p.plain, p.tls, p.redis, p.redisTLS} {
		closeAll(listeners)
	}
}

// servePorts serves clients until the server is shut down.
func (d *Daemon) servePorts() {
	serve := func(listeners []net.Listener, serve func(net.Listener) error) {
		for _, l := range listeners {
			d.wg.Go(func() {
				if err := serve(l); err != nil {
					d.failed <- fmt.Errorf("serving %s: %w", l.Addr(), err)
				}
			})
		}
	}
	serve(d.ports.plain, d.server.Serve)
	serve(d.ports.tls, func(l net.Listener) error { return d.server.ServeTLS(l, d.encryption.forClients) })
	serve(d.ports.redis, func(l net.Listener) error { return d.server.ServeRESP(l, nil) })
	serve(d.ports.redisTLS, func(l net.Listener) error { return d.server.ServeRESP(l, d.encryption.forClients) })
}

// Addr returns the address of the clients' text port; nil: there is none. It may have been opened on port 0.
func (d *Daemon) Addr() net.Addr { return address(d.ports.plain) }

// TLSAddr returns the address of the clients' port with TLS; nil: there is none.
func (d *Daemon) TLSAddr() net.Addr { return address(d.ports.tls) }

// RedisAddr returns the address of the port for clients of Redis; nil: there is none.
func (d *Daemon) RedisAddr() net.Addr { return address(d.ports.redis) }

// RedisTLSAddr returns the address of the same with TLS; nil: there is none.
func (d *Daemon) RedisTLSAddr() net.Addr { return address(d.ports.redisTLS) }

func address(listeners []net.Listener) net.Addr {
	if len(listeners) == 0 {
		return nil
	}
	return listeners[0].Addr()
}
