package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	proxyproto "github.com/pires/go-proxyproto"

	"ciderd/internal/auth"
)

// loopback is where the tests' proxies are.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// proxied makes a header for a client.
func proxied(client string) string {
	to := &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 8080}
	if strings.Count(client, ":") > 1 {
		to.IP = net.ParseIP("2001:db8::1")
	}
	from := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(client))
	text, err := proxyproto.HeaderProxyFromAddrs(2, from, to).Format()
	if err != nil {
		panic(err)
	}
	return string(text)
}

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// dialProxied connects with some bytes in front.
func (w *world) dialProxied(header string) *testClient {
	w.t.Helper()
	conn := w.plain()
	if _, err := io.WriteString(conn, header); err != nil {
		w.t.Fatal(err)
	}
	if w.secure != nil {
		conn = tls.Client(conn, w.secure)
	}
	return newClient(w.t, conn)
}

// addressHasher notes the addresses from which passwords are checked.
type addressHasher struct {
	*auth.Hasher
	seen chan string
}

func (h addressHasher) Verify(ctx context.Context, addr, user string, hash, password []byte) error {
	h.seen <- addr
	return h.Hasher.Verify(ctx, addr, user, hash, password)
}

// The client that the proxy names is the one that counts, for logins and for limits.
func TestProxiedClients(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{ProxyFrom: loopback, MaxPerAddress: 1})
		h := addressHasher{newHasher(t), make(chan string, 1)}
		w.hasher.Hasher = h
		w.dialProxied(proxied("192.0.2.7:1234")).talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		for client, want := range map[string]string{
			"192.0.2.8:1":               "192.0.2.8",
			"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
			"[::ffff:192.0.2.9]:1":      "192.0.2.9",
		} {
			w.dialProxied(proxied(client)).talk("LOGIN or SIGNUP\n> LOGIN u x\nLogin successful")
			if got := <-h.seen; got != want {
				t.Errorf("the login of %s counts for %s", client, got)
			}
		}
		w.dialProxied(proxied("192.0.2.7:5678")).talk("!TOO_MANY_CONNECTIONS\n.")
		w.dialProxied(proxied("[2001:db8:1:2::1]:80")).talk("!TOO_MANY_CONNECTIONS\n.")
	})
}

// Health checks, and clients without an address on the network, count for the proxy.
func TestProxyItself(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{ProxyFrom: loopback})
		h := addressHasher{newHasher(t), make(chan string, 1)}
		w.hasher.Hasher = h
		w.dialProxied(signature + "\x20\x00\x00\x00").talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		for name, header := range map[string]string{
			"LOCAL":                        "\x20\x00\x00\x00",
			"LOCAL with an address":        "\x20\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02",
			"LOCAL without its address":    "\x20\x11\x00\x00",
			"LOCAL with what nobody knows": "\x20\x00\x00\x05\xea\x00\x02xy",
			"UNSPEC":                       "\x21\x00\x00\x00",
			"UNIX":                         "\x21\x31\x00\xd8" + strings.Repeat("x", 216),
		} {
			w.dialProxied(signature + header).talk("LOGIN or SIGNUP\n> LOGIN u x\nLogin successful")
			if got := <-h.seen; got != "127.0.0.1" {
				t.Errorf("%s counts for %s", name, got)
			}
		}
	})
}

// Without a header that is right, a proxy's connection is closed without a word.
func TestProxyWithoutAHeader(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{ProxyFrom: loopback})
		for name, first := range map[string]string{
			"a command":              "LOGIN u x\nPING\nPING\nPING\n",
			"version 1":              "PROXY TCP4 192.0.2.7 192.0.2.1 1234 8080\r\n",
			"TLS":                    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("x", 500),
			"version 3":              signature + "\x31\x11\x00\x0c" + strings.Repeat("x", 12),
			"no command":             signature + "\x22\x11\x00\x0c" + strings.Repeat("x", 12),
			"no family":              signature + "\x21\x41\x00\x0c" + strings.Repeat("x", 12),
			"datagrams":              signature + "\x21\x12\x00\x0c" + strings.Repeat("x", 12),
			"too short an address":   signature + "\x21\x11\x00\x0b" + strings.Repeat("x", 11),
			"too long":               signature + "\x21\x11\x10\x01" + strings.Repeat("x", 4097),
			"more behind, cut":       signature + "\x21\x11\x00\x0e" + strings.Repeat("x", 14),
			"almost the signature":   signature[:11] + "x\x21\x11\x00\x0c" + strings.Repeat("x", 12),
			"nothing of it, and FIN": "",
			"half of it, and FIN":    signature[:7],
			"all but the last byte":  proxied("192.0.2.7:1")[:27],
		} {
			conn := w.plain()
			go func() {
				io.WriteString(conn, first)
				conn.(*net.TCPConn).CloseWrite()
			}()
			if got, _ := io.ReadAll(conn); len(got) > 0 { // the end may be a reset
				t.Errorf("%s is answered %q", name, got)
			}
			conn.Close()
		}
		w.dialProxied(proxied("192.0.2.7:1")).talk("LOGIN or SIGNUP")
	})
}

// To whom is no proxy, a header is as bad as any other input.
func TestHeaderOfAStranger(t *testing.T) {
	w := start(t, Config{ProxyFrom: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	w.dialProxied(proxied("192.0.2.7:1234") + "\n").talk("LOGIN or SIGNUP\n!AUTH_REQUIRED")
	w = startTLS(t, Config{})
	conn := w.plain()
	io.WriteString(conn, proxied("192.0.2.7:1234"))
	if got, _ := io.ReadAll(conn); !strings.HasPrefix(string(got), "ERR SYNTAX this port speaks TLS") {
		t.Errorf("got %q", got)
	}
}

// The addresses of proxies change while the server runs, for new connections.
func TestProxiesChange(t *testing.T) {
	w := start(t, Config{})
	before := w.user("u")
	w.server.SetConfig(Config{ProxyFrom: loopback})
	w.dialProxied(proxied("192.0.2.7:1")).talk("LOGIN or SIGNUP")
	before.talk("> PING\nPONG")
	w.server.SetConfig(Config{})
	w.user("u").talk("> PING\nPONG")
}

// A header may come in pieces, and with it what is behind it.
func TestHeaderInPieces(t *testing.T) {
	w := start(t, Config{ProxyFrom: loopback})
	c := w.dialProxied("")
	for _, b := range []byte(proxied("192.0.2.7:1")) {
		c.send(string([]byte{b}))
	}
	c.talk("LOGIN or SIGNUP\n> PING\nPONG")
	w.dialProxied(proxied("192.0.2.7:1") + "PING\n").talk("LOGIN or SIGNUP\nPONG")
}

// Connections that say nothing are closed after a while, and are bounded in number; a shutdown does not wait for them.
func TestSilentProxies(t *testing.T) {
	w := start(t, Config{ProxyFrom: loopback})
	var silent []net.Conn
	for range 10 {
		silent = append(silent, w.plain())
	}
	count := func() int {
		w.server.mu.Lock()
		defer w.server.mu.Unlock()
		return len(w.server.unnamed)
	}
	until(t, "all are waited for", func() bool { return count() == 10 })
	if n := w.server.Connections(); n != 0 {
		t.Errorf("%d connections are counted", n)
	}
	begin := time.Now()
	if err := w.server.Shutdown(context.Background()); err != nil || count() != 0 || time.Since(begin) >= proxyHeaderTime {
		t.Errorf("%v, %d are left after %v", err, count(), time.Since(begin))
	}
	for _, conn := range silent {
		conn.Close()
	}
}

// proxyConn is a connection of a proxy in a bubble.
type proxyConn struct{ net.Conn }

func (proxyConn) RemoteAddr() net.Addr { return fakeAddr("127.0.0.1:1") }

func TestProxyHeaderIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestServer(t, Config{ProxyFrom: loopback})
		defer s.Close()
		begin := time.Now()
		var all []net.Conn
		for range maxProxyHeaders + 1 {
			ours, theirs := net.Pipe()
			s.admit(proxyConn{theirs}, port{})
			all = append(all, ours)
		}
		if _, err := all[maxProxyHeaders].Read(make([]byte, 1)); !errors.Is(err, io.EOF) || since(begin) != 0 {
			t.Errorf("one more than there may be: %v after %v", err, since(begin))
		}
		for i := range 3 { // a byte now and then does not give it more time
			time.Sleep(time.Second)
			if _, err := io.WriteString(all[0], signature[i:i+1]); err != nil {
				t.Error(err)
			}
		}
		s.running.Wait()
		if d := since(begin); d != proxyHeaderTime {
			t.Errorf("closed after %v", d)
		}
	})
}

// A proxy that is not set up as the configuration says is told of, once in a while: each of its connections fails.
func TestProxyWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s, _ := newTestServer(t, Config{ProxyFrom: loopback})
		defer s.Close()
		s.log = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Warn})
		for i, want := range []int{1, 1, 2, 2, 3} {
			if i >= 2 {
				time.Sleep(proxyWarnEvery)
			}
			ours, theirs := net.Pipe()
			s.admit(proxyConn{theirs}, port{})
			switch i {
			case 3: // a check of the port
			case 4: // a client that waits for the banner
				time.Sleep(2 * proxyHeaderTime)
			default:
				io.WriteString(ours, "LOGIN u secret-word\n")
			}
			ours.Close()
			s.running.Wait()
			if n := strings.Count(log.String(), "listen.proxy_from"); n != want || strings.Contains(log.String(), "secret") {
				t.Errorf("%d warnings, want %d: %s", n, want, log.String())
			}
		}
	})
}

// Reading a header takes exactly its bytes, whatever they are.
func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{
		"", "PING\n", signature, proxied("192.0.2.7:1234") + "PING\n", proxied("[2001:db8::7]:1234") + "\x16",
		signature + "\x20\x00\x00\x00PING\n", signature + "\x21\x00\x00\x03\x04\x00\x00rest", signature + "\x21\x31\x00\xd8" + strings.Repeat("x", 300),
		signature + "\x21\x11\xff\xff" + strings.Repeat("x", 1<<16), signature + "\x21\x11\x00\x13" + strings.Repeat("x", 12) + "\x03\x00\x04abcd",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		r := bytes.NewReader(input)
		header, err := readHeaderBytes(r)
		if err != nil {
			if len(header) > 0 || len(input)-r.Len() > proxyPrefix+proxyHeaderBytes {
				t.Fatalf("%d bytes were read, and %s returned with %v", len(input)-r.Len(), hex.EncodeToString(header), err)
			}
			return
		}
		if want := proxyPrefix + int(input[14])<<8 + int(input[15]); len(header) != want || len(input)-r.Len() != want || want > proxyPrefix+proxyHeaderBytes {
			t.Fatalf("%d bytes were read and %d returned, of a header of %d", len(input)-r.Len(), len(header), want)
		}
		switch client, err := parseProxyHeader(header); {
		case err != nil && client != nil:
			t.Fatalf("%v and %v", client, err)
		case client != nil && clientAddress(client) == "":
			t.Fatalf("%v has no address", client)
		case client != nil:
			if _, err := netip.ParseAddrPort(client.String()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
