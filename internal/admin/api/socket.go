package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// Who may use a socket, as its mode says: the daemon's user and root, and with ModeGroup the daemon's group.
const (
	ModeOwn   fs.FileMode = 0o600
	ModeGroup fs.FileMode = 0o660
)

// Place returns where the node with this data directory makes its socket, and who may use it: in the runtime directory
// if systemd gives this process one, where the daemon's group may (ModeGroup), else in the data directory (ModeOwn).
func Place(dataDir string) (path string, mode fs.FileMode) {
	if dir := runtimeDir(); dir != "" {
		return filepath.Join(dir, socketFile), ModeGroup
	}
	return filepath.Join(dataDir, socketFile), ModeOwn
}

func runtimeDir() string {
	dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":")
	return dir
}

// FindSocket returns where a command finds the socket of the node with this data directory. The command is seldom given
// the directory that systemd gave the daemon, so it looks where the unit has it, too.
func FindSocket(dataDir string) string {
	return find(runtimeDir(), systemdDir, dataDir)
}

// find returns the first socket that is there. One that this user may not look at comes after one that they may: a
// node in a directory of their own is not hidden by the machine's service.
func find(dirs ...string) string {
	hidden, last := "", ""
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		last = filepath.Join(dir, socketFile)
		switch _, err := os.Stat(last); {
		case err == nil:
			return last
		case errors.Is(err, fs.ErrPermission) && hidden == "":
			hidden = last
		}
	}
	if hidden != "" {
		return hidden
	}
	return last
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

// Listen makes the socket at path with a mode, in the place of one whose process is dead. A live one is an error.
func Listen(path string, mode fs.FileMode) (net.Listener, error) {
	l, err := bind(path, mode)
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
	return bind(path, mode)
}

func bind(path string, mode fs.FileMode) (l net.Listener, err error) {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		// Linux gives the file the mode of the socket, so there is no moment at which others could
		// connect.
		var failed error
		err := raw.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	err = within(path, func(short string) error {
		if l, err = c.Listen(context.Background(), "unix", short); err != nil || mode == ModeOwn {
			return err
		}
		if err = os.Chmod(short, mode); err != nil { // the umask has taken the group's part
			l.Close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	// Server.Close removes it: the listener may know it by a path that is no more.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l, nil
}
