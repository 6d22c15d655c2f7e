package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	socketFile = "admin.sock"
	// systemdDir is where the unit in deploy/ has its runtime directory.
	systemdDir = "/run/ciderd"
	// maxSocketPath is what fits into a socket's address, in bytes.
	maxSocketPath = 107
	dialTimeout   = 2 * time.Second
)

// SocketPath returns where the node with this data directory has its socket: in the runtime directory if
// systemd gives this process one, else in the data directory.
func SocketPath(dataDir string) string {
	if dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":"); dir != "" {
		return filepath.Join(dir, socketFile)
	}
	return filepath.Join(dataDir, socketFile)
}

// FindSocket returns where a command finds the socket of the node with this data directory: the command
// is not given the directory that systemd gave the daemon.
func FindSocket(dataDir string) string {
	own := SocketPath(dataDir)
	if _, err := os.Stat(own); err == nil {
		return own
	}
	unit := filepath.Join(systemdDir, socketFile)
	if _, err := os.Stat(unit); err == nil {
		return unit
	}
	return own
}

// within calls f with a path of the socket that is short enough: where the real one is not, one by
// way of a descriptor of its directory.
func within(path string, f func(short string) error) error {
	if len(path) <= maxSocketPath {
		return f(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}

// Dial connects to the socket at path.
func Dial(ctx context.Context, path string) (conn net.Conn, err error) {
	d := net.Dialer{Timeout: dialTimeout}
	err = within(path, func(short string) error {
		conn, err = d.DialContext(ctx, "unix", short)
		return err
	})
	return conn, err
}

// Listen makes the socket at path with mode 0600, in the place of one whose process is dead. A live one is an error.
func Listen(path string) (net.Listener, error) {
	l, err := bind(path)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	conn, err := Dial(context.Background(), path)
	if err == nil {
		conn.Close()
		return nil, fmt.Errorf("another process serves %s", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return nil, err
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return nil, errors.Join(fmt.Errorf("%s is there, and is no socket", path), err)
	}
	if err := os.Remove(path); err != nil {
		return nil, err
	}
	return bind(path)
}

func bind(path string) (l net.Listener, err error) {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		// Linux gives the file the mode of the socket, so there is no moment at which others could
		// connect.
		var failed error
		err := raw.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	err = within(path, func(short string) error {
		l, err = c.Listen(context.Background(), "unix", short)
		return err
	})
	if err != nil {
		return nil, err
	}
	// Server.Close removes it: the listener may know it by a path that is no more.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l, nil
}
