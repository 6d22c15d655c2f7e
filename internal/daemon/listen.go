package daemon

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listenClients opens a port for clients. The name localhost stands for both loopback addresses: nc and telnet try ::1
// first on many systems.
func listenClients(address string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host != "localhost" {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("the port for clients: %w", err)
		}
		return []net.Listener{l}, nil
	}
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, fmt.Errorf("the port for clients: %w", err)
	}
	listeners := []net.Listener{l}
	// A machine without IPv6 is fine; one where another process has the port on ::1 is not, as a client could reach
	// that.
	_, port, _ = net.SplitHostPort(l.Addr().String())
	l6, err := net.Listen("tcp6", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		listeners = append(listeners, l6)
	case errors.Is(err, syscall.EADDRINUSE):
		l.Close()
		return nil, fmt.Errorf("the port for clients: %w", err)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}
