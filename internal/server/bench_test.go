package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ciderd/test/norace"
)

// benchPort is what the clients of a benchmark speak.
type benchPort struct{ encrypted, resp bool }

// get is a GET, and reply how many bytes its answer has.
func (p benchPort) get() (request string, reply int) {
	if p.resp {
		return bulks("GET", "key:000000000001"), 39
	}
	return "GET key:000000000001\n", 33
}

func (p benchPort) set() (request string, reply int) {
	if p.resp {
		return bulks("SET", "key:000000000001", strings.Repeat("v", 32)), 5
	}
	return "SET key:000000000001 " + strings.Repeat("v", 32) + "\n", 3
}

// benchmarkPort opens a port, and returns how to connect to it.
func benchmarkPort(b testing.TB, p benchPort) func() net.Conn {
	b.Helper()
	s, _ := newTestServer(b, Config{})
	b.Cleanup(func() { s.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		return c
	}
	switch {
	case p.resp:
		go s.ServeRESP(l, nil)
		return dial
	case !p.encrypted:
		go s.Serve(l)
		return dial
	}
	a := newAuthority(b)
	config := a.serverConfig("cider-1")
	go s.ServeTLS(l, func() *tls.Config { return config })
	return func() net.Conn { return tls.Client(dial(), a.clientConfig("cider-1")) }
}

// eachTransport runs a benchmark on a plain port and on one that encrypts.
func eachTransport(b *testing.B, run func(b *testing.B, p benchPort)) {
	b.Run("plain", func(b *testing.B) { run(b, benchPort{}) })
	b.Run("tls", func(b *testing.B) { run(b, benchPort{encrypted: true}) })
	b.Run("resp", func(b *testing.B) { run(b, benchPort{resp: true}) })
}

// benchmarkBursts has conns clients send bursts of depth requests over TCP and read the replies, each
// of which has replySize bytes. The clients take part of the machine's time.
func benchmarkBursts(b *testing.B, p benchPort, conns, depth int, request string, replySize int) {
	dial := benchmarkPort(b, p)
	clients := make([]net.Conn, conns)
	for i := range clients {
		clients[i] = dial()
		benchmarkLogin(b, clients[i], p, i == 0)
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

func benchmarkLogin(b testing.TB, c net.Conn, p benchPort, first bool) {
	b.Helper()
	hello := "LOGIN u x\n"
	want := "LOGIN or SIGNUP\nLogin successful\n"
	if first {
		hello, want = "SIGNUP u x\n", "LOGIN or SIGNUP\nUser created successfully\nOK\n"
		hello += "SET key:000000000001 " + strings.Repeat("v", 32) + "\n"
	}
	if p.resp {
		hello, want = bulks("AUTH", "u", "x"), "+OK\r\n"
		if first {
			hello, want = bulks("SIGNUP", "u", "x")+bulks("SET", "key:000000000001", strings.Repeat("v", 32)), "+OK\r\n+OK\r\n"
		}
	}
	fmt.Fprint(c, hello)
	if got := make([]byte, len(want)); true {
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			b.Fatalf("%q, %v", got, err)
		}
	}
}

// A GET allocates nothing, on whatever port it comes.
func TestGetAllocatesNothing(t *testing.T) {
	for name, p := range map[string]benchPort{"text": {}, "RESP": {resp: true}} {
		c := benchmarkPort(t, p)()
		benchmarkLogin(t, c, p, true)
		request, size := p.get()
		burst, reply := []byte(request), make([]byte, size)
		norace.Budget(t, "GET in "+name, 0, 1000, func() {
			c.Write(burst)
			if _, err := io.ReadFull(c, reply); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	eachTransport(b, func(b *testing.B, p benchPort) {
		for _, depth := range []int{1, 128} {
			b.Run(fmt.Sprintf("pipe=%d", depth), func(b *testing.B) {
				request, reply := p.get()
				benchmarkBursts(b, p, 50, depth, request, reply)
			})
		}
	})
}

func BenchmarkSet(b *testing.B) {
	eachTransport(b, func(b *testing.B, p benchPort) {
		for _, depth := range []int{1, 128} {
			b.Run(fmt.Sprintf("pipe=%d", depth), func(b *testing.B) {
				request, reply := p.set()
				benchmarkBursts(b, p, 50, depth, request, reply)
			})
		}
	})
}

// BenchmarkConnect connects and reads the banner, four at a time. With TLS that is a whole handshake, of which the
// client's half takes part of the machine's time.
func BenchmarkConnect(b *testing.B) {
	eachTransport(b, func(b *testing.B, p benchPort) {
		dial := benchmarkPort(b, p)
		b.ResetTimer()
		var wg sync.WaitGroup
		const workers = 4
		for range workers {
			wg.Go(func() {
				for range b.N/workers + 1 {
					c := dial()
					if _, err := io.ReadFull(c, make([]byte, len("LOGIN or SIGNUP\n"))); err != nil {
						b.Error(err)
						return
					}
					c.Close()
				}
			})
		}
		wg.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conns/s")
	})
}

// BenchmarkIdleMemory tells what a connection takes that is logged in and idle, without the client's half; after a burst
// that filled its buffers, too.
func BenchmarkIdleMemory(b *testing.B) {
	for _, burst := range []int{0, 5000} {
		b.Run(fmt.Sprintf("burst=%d", burst), func(b *testing.B) {
			eachTransport(b, func(b *testing.B, p benchPort) { idleMemory(b, p, burst) })
		})
	}
}

func idleMemory(b *testing.B, p benchPort, burst int) {
	dial := benchmarkPort(b, p)
	benchmarkLogin(b, dial(), p, true)
	const conns = 1000
	get, reply := p.get()
	request, replies := []byte(strings.Repeat(get, burst)), make([]byte, burst*reply)
	for b.Loop() {
		heap, stacks := memoryInUse()
		for range conns {
			c := dial()
			benchmarkLogin(b, c, p, false)
			go c.Write(request)
			if _, err := io.ReadFull(c, replies); err != nil {
				b.Fatal(err)
			}
		}
		time.Sleep(2 * burstHold)
		h, s := memoryInUse()
		b.ReportMetric(float64(h-heap)/conns, "heap-B/conn")
		b.ReportMetric(float64(s-stacks)/conns, "stack-B/conn")
	}
}

// memoryInUse returns the bytes of the heap and of the stacks, once the garbage collector has made both small.
func memoryInUse() (heap, stacks int64) {
	for range 5 { // each may halve a stack
		heap = heapInUse()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return heap, int64(m.StackInuse)
}
