package peer

import (
	"bufio"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
)

var (
	alice = Identity{Cluster: "prod", Node: "alice", ServerID: "alice/11aa"}
	bob   = Identity{Cluster: "prod", Node: "bob", ServerID: "bob/22bb"}
)

func isMember(node string) bool { return node == "alice" || node == "bob" }

// server is bob's peer port. Its handlers of KindForward echo; it notes who has been handed over.
type server struct {
	*Listener
	address string
	mu      sync.Mutex // handed
	handed  []Identity
}

func startServer(tb testing.TB, answer func(string) string) *server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{Listener: NewListener(l, bob, isMember, hclog.NewNullLogger()), address: l.Addr().String()}
	s.Handle(KindForward, s.noting(func(conn net.Conn) { _, _ = io.Copy(conn, conn) }))
	if answer != nil {
		s.Handle(KindQuery, s.noting(func(conn net.Conn) { ServeQueries(conn, NewBudget(MaxUnfinished), answer) }))
	}
	s.Start()
	tb.Cleanup(func() { s.Close() })
	return s
}

func (s *server) noting(serve func(net.Conn)) Handler {
	return func(conn net.Conn, remote Identity) {
		s.mu.Lock()
		s.handed = append(s.handed, remote)
		s.mu.Unlock()
		serve(conn)
	}
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.handed)
}

// listen is a port on which serve gets each connection.
func listen(tb testing.TB, serve func(net.Conn)) (address string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// untilClosed serves a connection by saying nothing.
func untilClosed(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// send writes raw bytes to a port, ends that direction, and reads what comes back to the end.
func send(tb testing.TB, address string, b []byte) []byte {
	tb.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(b); err != nil {
		tb.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	back, _ := io.ReadAll(conn) // a reset ends it as well as EOF
	return back
}

func readerOf(conn net.Conn) *bufio.Reader { return bufio.NewReader(conn) }
