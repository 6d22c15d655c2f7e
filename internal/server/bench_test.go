package server

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// benchmarkBursts has conns clients send bursts of depth requests over TCP and read the replies, each
// of which has replySize bytes. The clients take part of the machine's time.
func benchmarkBursts(b *testing.B, conns, depth int, request string, replySize int) {
	s := New(Config{}, newFakeNode(), newHasher(b), hclog.NewNullLogger())
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go s.Serve(l)
	clients := make([]net.Conn, conns)
	for i := range clients {
		clients[i] = benchmarkLogin(b, l.Addr().String(), i == 0)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			burst, replies := []byte(strings.Repeat(request, depth)), make([]byte, depth*replySize)
			for range b.N/conns/depth + 1 {
				c.Write(burst)
				if _, err := io.ReadFull(c, replies); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func benchmarkLogin(b *testing.B, addr string, first bool) net.Conn {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	hello := "LOGIN u x\n"
	want := "LOGIN or SIGNUP\nLogin successful\n"
	if first {
		hello, want = "SIGNUP u x\n", "LOGIN or SIGNUP\nUser created successfully\nOK\n"
		hello += "SET key:000000000001 " + strings.Repeat("v", 32) + "\n"
	}
	fmt.Fprint(c, hello)
	if got := make([]byte, len(want)); true {
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			b.Fatalf("%q, %v", got, err)
		}
	}
	return c
}

func BenchmarkGet(b *testing.B) {
	for _, depth := range []int{1, 128} {
		b.Run(fmt.Sprintf("pipe=%d", depth), func(b *testing.B) {
			benchmarkBursts(b, 50, depth, "GET key:000000000001\n", 33)
		})
	}
}

func BenchmarkSet(b *testing.B) {
	for _, depth := range []int{1, 128} {
		b.Run(fmt.Sprintf("pipe=%d", depth), func(b *testing.B) {
			benchmarkBursts(b, 50, depth, "SET key:000000000001 "+strings.Repeat("v", 32)+"\n", 3)
		})
	}
}
