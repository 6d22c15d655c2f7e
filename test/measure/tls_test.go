//go:build e2e

package measure

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/internal/bench"
	"ciderd/test/harness"
	"ciderd/test/peers"
)

const (
	tlsIdle = 8000 // connections: many, as a process has some memory to spare
)

// TestMeasureTLS tells, with MEASURE=1, what encryption costs: GET and SET on one node by plain text and TLS, in turns,
// beside Redis and memcached with theirs where this machine has them; handshakes a second; and what an idle connection
// takes. The clients are on the same machine, and encrypt as well.
func TestMeasureTLS(t *testing.T) {
	times(t, "KILLS", 0) // skips without MEASURE
	c := harness.New(t, harness.Options{Config: "limits { max_connections_per_address = 0 }\nauth { bcrypt_cost = 4 }"})
	c.MakeCertificates()
	c.WriteConfig("limits { max_connections_per_address = 0 }\nauth { bcrypt_cost = 4 }")
	n := c.Nodes[0]
	n.Start()
	c.WaitReady()
	harness.MakeUser(t, n, "tls")
	text, err := os.ReadFile(c.Authority())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	secret := &tls.Config{RootCAs: pool, ServerName: n.Name}
	plain := spoken{name: "ciderd", address: n.Text, dialect: bench.Text{User: "tls", Password: harness.Password}}
	encrypted := plain
	encrypted.name, encrypted.address, encrypted.secret = "ciderd TLS", n.TextTLS, secret
	all := append([]spoken{plain, encrypted}, others(t, c, secret)...)
	for i := range all {
		all[i].fill(t)
	}
	for _, load := range []struct{ conns, pipe int }{{50, 1}, {20, 128}} {
		gets, sets := map[string][]float64{}, map[string][]float64{}
		for range speedRounds {
			for _, s := range all {
				if s.alone && load.pipe > 1 {
					continue
				}
				gets[s.name] = append(gets[s.name], s.rate(t, load.conns, load.pipe, "get"))
				sets[s.name] = append(sets[s.name], s.rate(t, load.conns, load.pipe, "set"))
			}
		}
		for _, s := range all {
			if len(gets[s.name]) == 0 {
				continue
			}
			t.Logf("%-14s %2d x %3d: GET %8.0f/s (%.2f of ciderd plain), SET %8.0f/s (%.2f)", s.name, load.conns, load.pipe,
				median(gets[s.name]), median(gets[s.name])/median(gets["ciderd"]), median(sets[s.name]), median(sets[s.name])/median(sets["ciderd"]))
		}
	}
	t.Logf("handshakes: %.0f/s, each with a whole one", handshakes(t, n.TextTLS, secret))
	for _, s := range all[:2] { // in a process that has no memory left over from what was before
		n.Kill()
		n.Start()
		n.WaitServing()
		t.Logf("%s: an idle connection that has logged in takes %.1f KiB", s.name, idle(t, n, &s)/1024)
	}
}

// others starts Redis and memcached with TLS, by the node's certificate.
func others(t *testing.T, c *harness.Cluster, secret *tls.Config) (all []spoken) {
	certFile, keyFile := c.Certificate(c.Nodes[0])
	start := func(s spoken, name string, args ...string) {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Logf("without %s: %v", name, err)
			return
		}
		p, err := harness.StartProcess(path, c.Dir, filepath.Join(c.Dir, name+".log"), nil, args...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Signal(os.Kill) })
		s.secret = secret
		harness.Eventually(t, name, func() error {
			conn, err := net.Dial("tcp", s.address)
			if err == nil {
				_ = conn.Close()
			}
			return err
		})
		all = append(all, s)
	}
	port := strconv.Itoa(harness.FreePort(t))
	start(spoken{name: "Redis TLS", address: "127.0.0.1:" + port, dialect: bench.RESP{}}, "redis-server", "--port", "0", "--tls-port", port, "--tls-cert-file", certFile, "--tls-key-file", keyFile,
		"--tls-ca-cert-file", c.Authority(), "--tls-auth-clients", "no", "--save", "")
	port = strconv.Itoa(harness.FreePort(t))
	start(spoken{name: "memcached TLS", address: "127.0.0.1:" + port, dialect: peers.Memcached{}, alone: true}, "memcached", "-u", "root", "-l", "127.0.0.1", "-p", port, "-U", "0", "-Z", "-o", "ssl_chain_cert="+certFile+",ssl_key="+keyFile)
	return all
}

// handshakes returns how many connections a second shake hands, one after the other on each processor.
func handshakes(t *testing.T, address string, secret *tls.Config) float64 {
	var wg sync.WaitGroup
	var count atomic.Int64
	end := time.Now().Add(speedFor)
	for range 2 * runtime.NumCPU() {
		wg.Go(func() {
			for time.Now().Before(end) {
				conn, err := tls.Dial("tcp", address, secret) // without a cache, so none is resumed
				if err != nil {
					t.Errorf("handshake: %v", err)
					return
				}
				_ = conn.Close()
				count.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(count.Load()) / speedFor.Seconds()
}

// idle returns how many bytes a connection takes that has logged in and does nothing.
func idle(t *testing.T, n *harness.Node, s *spoken) float64 {
	before := resident(t, n)
	for range tlsIdle {
		conn, err := s.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	return float64(resident(t, n)-before) / tlsIdle
}
