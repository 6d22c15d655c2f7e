//go:build e2e

package measure

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/internal/bench"
)

const (
	speedKeys   = 100_000
	speedFor    = 2 * time.Second // each measurement
	speedRounds = 3
	speedSize   = 32 // bytes of a value
)

// spoken is a port, and how it is spoken to.
type spoken struct {
	name    string
	address string
	dialect bench.Dialect
	secret  *tls.Config // nil: without TLS
	alone   bool        // it answers only one request at a time: with TLS memcached 1.6.18 stops at more
	redis   bool        // it runs scripts, as Redis does
}

func (s *spoken) stream() *bench.Stream { return &bench.Stream{Dialect: s.dialect, TLS: s.secret} }

func (s *spoken) dial() (net.Conn, error) { return s.stream().Dial(context.Background(), s.address) }

func (s *spoken) open(t *testing.T, conns, pipe int, mix string) *bench.Load {
	t.Helper()
	m, err := bench.ParseMix(mix)
	if err != nil {
		t.Fatal(err)
	}
	var driver bench.Driver = s.stream()
	if s.alone {
		driver = alone{driver}
	}
	load, err := bench.Open(t.Context(), bench.Config{
		Driver: driver, Addresses: []string{s.address}, Connections: conns, Pipeline: pipe, Mix: m, For: speedFor,
		Contents: bench.Contents{Prefix: "k", Keys: speedKeys, Sizes: bench.Sizes{Min: speedSize, Max: speedSize}, TTL: time.Hour},
	})
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return load
}

// fill stores all keys.
func (s *spoken) fill(t *testing.T) {
	t.Helper()
	load := s.open(t, 8, 1, "set")
	defer load.Close()
	if err := load.Fill(t.Context()); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
}

// rate returns how many requests a second are answered to connections that have so many in flight each.
func (s *spoken) rate(t *testing.T, conns, pipe int, mix string) float64 {
	t.Helper()
	load := s.open(t, conns, pipe, mix)
	defer load.Close()
	r := load.Run(t.Context())
	for _, p := range r.Errors {
		t.Errorf("%s: %d times %s", s.name, p.Count, p.Example)
	}
	return r.PerSecond
}

// alone is a Driver that sends the requests of a burst one by one.
type alone struct{ bench.Driver }

func (a alone) Connect(ctx context.Context, address string) (bench.Conn, error) {
	conn, err := a.Driver.Connect(ctx, address)
	return aloneConn{conn}, err
}

type aloneConn struct{ bench.Conn }

func (c aloneConn) Do(b *bench.Burst, answered func(from, to int)) error {
	for i := range b.Requests {
		one := bench.Burst{Requests: b.Requests[i : i+1], Outcomes: b.Outcomes[i : i+1]}
		if err := c.Conn.Do(&one, func(int, int) {}); err != nil {
			return err
		}
		b.Errors = append(b.Errors, one.Errors...)
		answered(i, i+1)
	}
	return nil
}

// asks returns how many requests a second are answered that bench has no word for: each has so many lines of answers.
func (s *spoken) asks(t *testing.T, conns int, request func(key int) string, lines int) float64 {
	t.Helper()
	var wg sync.WaitGroup
	var count atomic.Int64
	end := time.Now().Add(speedFor)
	for i := range conns {
		conn, err := s.dial()
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		_ = conn.SetDeadline(end.Add(10 * time.Second)) // one that hangs should say so
		wg.Go(func() {
			defer func() { _ = conn.Close() }()
			answers := make([]byte, 4<<10)
			for key := i * 7919; time.Now().Before(end); key += 7907 {
				if err := exchange(conn, []byte(request(key%speedKeys)), lines, answers); err != nil {
					t.Errorf("%s: %v", s.name, err)
					return
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(count.Load()) / speedFor.Seconds()
}

// exchange sends a request, and reads so many lines.
func exchange(conn net.Conn, request []byte, lines int, into []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	for lines > 0 {
		n, err := conn.Read(into)
		if lines -= bytes.Count(into[:n], []byte{'\n'}); err != nil && lines > 0 {
			return err
		}
	}
	return nil
}
