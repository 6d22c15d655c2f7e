package harness

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
)

// Ports come from below the ephemeral range, so that no outgoing connection of
// the machine can sit on one while its node is down.
const (
	firstPort = 20000
	lastPort  = 31999
)

// portCursor spreads the search, so that test processes rarely meet.
var portCursor atomic.Int64

// FreePort reserves a loopback TCP port for this test: no other test of any
// process that uses the harness gets it until the test ends.
func FreePort(t testing.TB) int {
	t.Helper()
	span := int64(lastPort - firstPort + 1)
	start := int64(os.Getpid()) * 61
	for range span {
		port := firstPort + int((start+portCursor.Add(1))%span)
		release, ok := lockPort(port)
		if !ok {
			continue
		}
		if !bindable(port) {
			release()
			continue
		}
		t.Cleanup(release)
		return port
	}
	t.Fatal("no free port on loopback")
	return 0
}

// ClaimPort reserves the given port for this test and waits up to Limit for other
// tests that hold it. If a stranger listens on it the test is skipped, or fails
// where the environment has CI.
func ClaimPort(t testing.TB, port int) {
	t.Helper()
	err := Until(Limit, fmt.Sprintf("port %d", port), func() error {
		release, ok := lockPort(port)
		if !ok {
			return fmt.Errorf("another test holds it")
		}
		if !bindable(port) {
			release()
			return fmt.Errorf("something else listens on it")
		}
		t.Cleanup(release)
		return nil
	})
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
}

// lockPort takes the lock file of a port. The kernel drops the lock with the
// process, so a killed test run leaves nothing taken.
func lockPort(port int) (release func(), ok bool) {
	dir := filepath.Join(os.TempDir(), "ciderd-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, false
	}
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, false
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, false
	}
	return func() { _ = f.Close() }, true
}

func bindable(port int) bool {
	ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	return ln.Close() == nil
}
