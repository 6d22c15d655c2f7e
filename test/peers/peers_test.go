package peers

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"ciderd/internal/bench"
)

// speakMemcached answers as memcached does what the test needs, piece by piece.
func speakMemcached(conn net.Conn) {
	defer conn.Close()
	in, items := bufio.NewReader(conn), map[string][]byte{}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		var answer []byte
		switch f := strings.Fields(line); f[0] {
		case "set":
			n, _ := strconv.Atoi(f[4])
			value := make([]byte, n+2)
			for got := 0; got < len(value); {
				more, err := in.Read(value[got:])
				if err != nil {
					return
				}
				got += more
			}
			items[f[1]], answer = value[:n], []byte("STORED\r\n")
			if bytes.HasSuffix([]byte(f[1]), []byte("3")) {
				answer = []byte("SERVER_ERROR out of memory storing object\r\n")
			}
		case "get":
			if value, there := items[f[1]]; there {
				answer = fmt.Appendf(nil, "VALUE %s 0 %d\r\n%s\r\n", f[1], len(value), value)
			}
			answer = append(answer, "END\r\n"...)
		case "delete":
			answer = []byte("DELETED\r\n")
		default:
			answer = []byte("ERROR\r\n")
		}
		for len(answer) > 0 {
			n := min(7, len(answer))
			if _, err := conn.Write(answer[:n]); err != nil {
				return
			}
			answer = answer[n:]
		}
	}
}

func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return l.Addr().String()
}

func run(t *testing.T, d bench.Dialect, address, mix string, fill bool) bench.Result {
	t.Helper()
	m, err := bench.ParseMix(mix)
	if err != nil {
		t.Fatal(err)
	}
	load, err := bench.Open(t.Context(), bench.Config{
		Driver: &bench.Stream{Dialect: d}, Addresses: []string{address}, Connections: 1, Pipeline: 9, Mix: m, Requests: 1000,
		Contents: bench.Contents{Prefix: "k:", Keys: 10, Sizes: bench.Sizes{Min: 1, Max: 3000}, TTL: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer load.Close()
	if fill {
		_ = load.Fill(t.Context()) // some are refused, and are there all the same
	}
	return load.Run(t.Context())
}

func TestMemcached(t *testing.T) {
	address := listen(t, speakMemcached)
	if r := run(t, Memcached{}, address, "get", false); r.Operations["get"].Missed != 1000 || len(r.Errors) > 0 {
		t.Errorf("nothing is there: %+v", r)
	}
	r := run(t, Memcached{}, address, "get=2,set=3", true)
	if get := r.Operations["get"]; get.Found+get.Missed != get.Answered || get.Found == 0 {
		t.Errorf("%+v", r)
	}
	if len(r.Errors) != 1 || r.Errors[0].Name != "SERVER_ERROR" || r.Errors[0].Count < 10 || r.Answered+r.Errors[0].Count != 1000 {
		t.Errorf("%+v", r)
	}
}

func TestEcho(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	go func() { t.Error(ServeEcho(address)) }()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	if r := run(t, Echo{}, address, "get", false); r.Answered != 1000 || len(r.Errors) > 0 {
		t.Errorf("%+v", r)
	}
}
