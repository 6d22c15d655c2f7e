//go:build e2e

package measure

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	speedKeys   = 100_000
	speedFor    = 2 * time.Second // each measurement
	speedRounds = 3
)

// spoken is a port, and how SET and GET are said there.
type spoken struct {
	name    string
	address string
	secret  *tls.Config // nil: without TLS
	first   string      // what is sent to begin with
	lines   int         // of answers to that, with a banner
	get     func(key int) string
	got     int  // lines of an answer to GET
	alone   bool // it answers only one request at a time: with TLS memcached 1.6.18 stops at more
	set     func(key int) string
}

const speedValue = "0123456789abcdef0123456789abcdef"

func (s *spoken) dial() (net.Conn, *bufio.Reader, error) {
	var conn net.Conn
	var err error
	if s.secret == nil {
		conn, err = net.Dial("tcp", s.address)
	} else {
		conn, err = tls.Dial("tcp", s.address, s.secret)
	}
	if err != nil {
		return nil, nil, err
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	_, err = conn.Write([]byte(s.first))
	for range s.lines {
		if err == nil {
			_, err = r.ReadSlice('\n')
		}
	}
	return conn, r, err
}

// fill stores all keys: answers about those that are not there may have fewer lines.
func (s *spoken) fill(t *testing.T) {
	conn, r, err := s.dial()
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	defer func() { _ = conn.Close() }()
	for key := range speedKeys {
		most := 100 // at once
		if s.alone {
			most = 1
		}
		if _, err = conn.Write([]byte(s.set(key))); err == nil && key%most == most-1 {
			for range most {
				_, err = r.ReadSlice('\n')
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
}

// rate returns how many requests a second are answered to connections that have so many in flight each. What is sent is
// made before, and of the answers only line ends are counted: who asks shares the cores with who answers, and should take
// little of them.
func (s *spoken) rate(t *testing.T, conns, pipe int, request func(int) string, lines int) float64 {
	var wg sync.WaitGroup
	var count atomic.Int64
	all := make([]net.Conn, conns)
	bursts := make([][][]byte, conns)
	for i := range conns {
		conn, _, err := s.dial()
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		all[i], bursts[i] = conn, requests(i, pipe, request)
	}
	end := time.Now().Add(speedFor)
	for i, conn := range all {
		_ = conn.SetDeadline(end.Add(10 * time.Second)) // one that hangs should say so
		wg.Go(func() {
			defer func() { _ = conn.Close() }()
			answers := make([]byte, 64<<10)
			for n := 0; time.Now().Before(end); n++ {
				if err := exchange(conn, bursts[i][n%len(bursts[i])], pipe*lines, answers); err != nil {
					t.Errorf("%s: %v", s.name, err)
					return
				}
				count.Add(int64(pipe))
			}
		})
	}
	wg.Wait()
	return float64(count.Load()) / speedFor.Seconds()
}

// requests returns bursts of so many requests for keys all over the place, for one of the connections.
func requests(conn, pipe int, request func(int) string) [][]byte {
	const ready = 4096 // requests
	bursts := make([][]byte, max(ready/pipe, 1))
	key := conn * 7919
	for i := range bursts {
		for range pipe {
			bursts[i] = append(bursts[i], request(key%speedKeys)...)
			key += 7907
		}
	}
	return bursts
}

// exchange sends a burst, and reads so many lines.
func exchange(conn net.Conn, burst []byte, lines int, into []byte) error {
	if _, err := conn.Write(burst); err != nil {
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
