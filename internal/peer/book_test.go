package peer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// names is a name server that a test breaks.
type names struct {
	mu    sync.Mutex // all below
	ips   []netip.Addr
	err   error
	hangs bool
	asked int
}

func (s *names) lookup(ctx context.Context, _ string) ([]netip.Addr, error) {
	s.mu.Lock()
	s.asked++
	ips, err, hangs := s.ips, s.err, s.hangs
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return ips, err
}

func (s *names) set(err error, hangs bool, ips ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.hangs, s.ips = err, hangs, nil
	for _, ip := range ips {
		s.ips = append(s.ips, netip.MustParseAddr(ip))
	}
}

// A node that was met is met again while its name does not resolve, after a short look-up, also by a book that
// has this from before; a name that resolves has the last word.
func TestBookWithoutAnswerFromDNS(t *testing.T) {
	s := startServer(t, strings.ToUpper)
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("bob.example", port)
	dns := &names{}
	dns.set(nil, false, "127.0.0.1")
	b := NewBook(dns.lookup, nil)
	meets := func(b *Book, within time.Duration) error {
		start := time.Now()
		conn, _, err := dialler{book: b}.dial(t.Context(), address, &hello{kind: KindForward, from: alice, want: "bob"})
		if err == nil {
			conn.Close()
		}
		if took := time.Since(start); took > within+30*time.Second { // a machine that does much else
			t.Errorf("it took %v", took)
		}
		return err
	}
	if err := meets(b, time.Second); err != nil {
		t.Fatal(err)
	}
	if met := b.Met(); len(met) != 1 || met[address] != s.address {
		t.Errorf("met %v", met)
	}
	down := &net.DNSError{Err: "server misbehaving", Name: "bob.example"}
	for name, hangs := range map[string]bool{"fails": false, "hangs": true} {
		dns.set(down, hangs)
		old := NewBook(dns.lookup, b.Met())
		for range 3 { // and only the first waits
			if err := meets(old, lookupTimeout+500*time.Millisecond); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := meets(NewBook(dns.lookup, nil), lookupTimeout+500*time.Millisecond); err == nil {
			t.Errorf("%s: a node that was never met is", name)
		} else if got := Reason(err, alice, "bob", address, time.Second); got != "its name bob.example does not resolve" {
			t.Errorf("%s: %q", name, got)
		}
	}
	// It moves to where nobody is, and back.
	dns.set(nil, false, "127.0.0.2")
	if err := meets(NewBook(dns.lookup, b.Met()), time.Second); err == nil {
		t.Error("met where it is not any more")
	}
	dns.set(nil, false, "127.0.0.2", "127.0.0.1")
	if err := meets(NewBook(dns.lookup, b.Met()), time.Second); err != nil {
		t.Error(err)
	}
}

// Who answers in a node's place is not remembered, nor is what needs no name.
func TestBookRemembersNodesAlone(t *testing.T) {
	s := startServer(t, nil)
	_, port, _ := net.SplitHostPort(s.address)
	dns := &names{}
	dns.set(nil, false, "127.0.0.1")
	b := NewBook(dns.lookup, nil)
	if _, _, err := (dialler{book: b}).dial(t.Context(), net.JoinHostPort("carol.example", port), &hello{kind: KindForward, from: alice, want: "carol"}); !errors.Is(err, ErrRefused) {
		t.Errorf("error %v", err)
	}
	asked := dns.asked
	conn, _, err := dialler{book: b}.dial(t.Context(), s.address, &hello{kind: KindForward, from: alice, want: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if len(b.Met()) != 0 || dns.asked != asked {
		t.Errorf("met %v, asked %d times", b.Met(), dns.asked-asked)
	}
}
