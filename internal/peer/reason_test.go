package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// dialError is what asking bob at an address ends with.
func dialError(t *testing.T, from Identity, address, want string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	c := NewClient(func() string { return address }, from, want)
	defer c.Close()
	_, err := ask(ctx, c, "a")
	if err == nil {
		t.Fatalf("%s answers %s at %s", want, from.ServerID, address)
	}
	return err
}

// Whatever keeps a node from answering has a phrase of its own.
func TestReasons(t *testing.T) {
	s := startServer(t, strings.ToUpper)
	gone := startServer(t, nil)
	banner := listen(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "LOGIN or SIGNUP\n"); untilClosed(conn) })
	closes := listen(t, func(net.Conn) {})
	silent := listen(t, untilClosed)
	gone.Close() // once all others have their ports, of which none is its own then
	for _, c := range []struct {
		from          Identity
		name, address string
		reason        string
	}{
		{alice, "bob", gone.address, "connection refused"},
		{Identity{Cluster: "test", Node: "alice", ServerID: "alice/11aa"}, "bob", s.address, `is a node of another cluster, not of "test"`},
		{alice, "carol", s.address, s.address + " is bob of this cluster"},
		{bob, "carol", s.address, s.address + " is this node itself"},
		{Identity{Cluster: "prod", Node: "mallory", ServerID: "mallory/1"}, "bob", s.address, `does not know this node: no node "mallory" in the configuration of bob`},
		{alice, "bob", banner, "does not speak ciderd's protocol (is that its text port?)"},
		{alice, "bob", closes, "closes the connection without an answer"},
		{alice, "bob", silent, "no answer in 0.3 s"},
	} {
		err := dialError(t, c.from, c.address, c.name)
		if got := Reason(err, c.from, c.name, c.address, 300*time.Millisecond); !strings.HasPrefix(got, c.reason) {
			t.Errorf("%s of %s at %s: %q (%v), want %q", c.name, c.from.ServerID, c.address, got, err, c.reason)
		}
	}
	for reason, err := range map[string]error{
		"no such host: n2.example":             &net.DNSError{Err: "no such host", Name: "n2.example", IsNotFound: true},
		"its name n2.example does not resolve": &net.DNSError{Err: "server misbehaving", Name: "n2.example", IsTemporary: true},
		"something new":                        errors.New("something new"),
	} {
		if got := Reason(fmt.Errorf("asking n2: %w", err), alice, "n2", "n2.example:7000", time.Second); got != reason && !strings.HasSuffix(got, reason) {
			t.Errorf("%q, want %q", got, reason)
		}
	}
}
