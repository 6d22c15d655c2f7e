package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/internal/accounts"
	"ciderd/test/served"
)

// What there is room for is told by the text port; a node without a limit has none.
func TestRoom(t *testing.T) {
	each(t, func(t *testing.T, s *served.Node, c Config) {
		stream := c.Driver.(*Stream)
		bytes, limited, err := stream.Dialect.(Keeper).Room(t.Context(), stream, c.Addresses[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, text := stream.Dialect.(Text); text && (bytes != 700 || !limited) || !text && limited {
			t.Errorf("%d, %v", bytes, limited)
		}
	})
	for _, x := range []struct {
		used, limit string
		bytes       int64
		limited     bool
	}{{"1", "5", 4, true}, {"5", "1", 0, true}, {"5", "-", 0, false}, {"5", "0", 0, false}, {"", "", 0, false}} {
		if bytes, limited := room(x.used, x.limit); bytes != x.bytes || limited != x.limited {
			t.Errorf("%+v: %d, %v", x, bytes, limited)
		}
	}
}

const user, password = "bench", `se"cret word`

func serve(t *testing.T) *served.Node {
	t.Helper()
	s, err := served.Start(t.Context(), user, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Server.Close() })
	s.Memory, s.Limit = "300", "1000"
	return s
}

// each runs a test with each protocol.
func each(t *testing.T, test func(t *testing.T, s *served.Node, c Config)) {
	for _, resp := range []bool{false, true} {
		t.Run(map[bool]string{false: "text", true: "resp"}[resp], func(t *testing.T) {
			s := serve(t)
			c := Config{
				Driver: &Stream{Dialect: Text{user, password}}, Addresses: []string{s.Text}, Connections: 4, Pipeline: 1,
				Contents: Contents{Prefix: "bench:", Keys: 100, Sizes: Sizes{32, 32}, TTL: time.Hour}, Requests: 1000,
			}
			if resp {
				c.Driver, c.Addresses = &Stream{Dialect: RESP{user, password}}, []string{s.RESP}
			}
			test(t, s, c)
		})
	}
}

func mix(t *testing.T, text string) Mix {
	t.Helper()
	m, err := ParseMix(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t *testing.T, c Config) *Load {
	t.Helper()
	l, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// keysOf are what the user has, on a connection of our own.
func keysOf(t *testing.T, s *served.Node, glob string) (all []string) {
	t.Helper()
	stream := &Stream{Dialect: Text{user, password}}
	err := aside(t.Context(), stream, s.Text, func(c net.Conn) error {
		_, err := fmt.Fprintf(c, "KEYS %s\nQUIT\n", glob)
		if err != nil {
			return err
		}
		var text strings.Builder
		buf := make([]byte, 64<<10)
		for {
			n, err := c.Read(buf)
			text.Write(buf[:n])
			if err != nil {
				break
			}
		}
		all = strings.Fields(strings.TrimSuffix(text.String(), "END\nBYE\n"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What is counted is what the server has done, and what was stored is gone in the end, and nothing else.
func TestCountsWhatTheServerDid(t *testing.T) {
	each(t, func(t *testing.T, s *served.Node, c Config) {
		for _, pipeline := range []int{1, 7, 128} {
			c.Pipeline, c.Mix, c.Contents.Sizes = pipeline, mix(t, "get=3,set=2,setex=1,incr=2,has=1"), Sizes{1, 5000}
			c.Requests = 3001
			l := open(t, c)
			if err := l.Fill(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := len(keysOf(t, s, "bench:0*")); n != c.Contents.Keys {
				t.Fatalf("%d keys after filling", n)
			}
			r := l.Run(t.Context())
			if r.Answered != c.Requests || len(r.Errors) > 0 || r.Unanswered != 0 || r.Reconnected != 0 {
				t.Fatalf("x%d: %+v", pipeline, r)
			}
			sum, total := int64(0), int64(0)
			for _, key := range keysOf(t, s, "bench:n*") {
				sum += number(t, s, key)
			}
			for name, o := range r.Operations {
				total += o.Answered
				if reads := name == "get" || name == "has"; reads && o.Found != o.Answered || !reads && o.Found+o.Missed > 0 {
					t.Errorf("x%d: %s: %+v", pipeline, name, o)
				}
				if m := o.Milliseconds; m.P50 <= 0 || m.P50 > m.P99 || m.P99 > m.Max*1.001 {
					t.Errorf("x%d: %s: %+v", pipeline, name, m)
				}
			}
			if incr := r.Operations["incr"].Answered; total != r.Answered || sum != incr || incr < 450 || incr > 900 { // 667 of 3001
				t.Errorf("x%d: %d of %d answered, counters add up to %d of %d", pipeline, total, r.Answered, sum, incr)
			}
			if err := l.Remove(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left := keysOf(t, s, "*"); len(left) > 0 {
				t.Errorf("x%d: left: %q", pipeline, left)
			}
		}
	})
}

func number(t *testing.T, s *served.Node, key string) (n int64) {
	t.Helper()
	err := aside(t.Context(), &Stream{Dialect: Text{user, password}}, s.Text, func(c net.Conn) error {
		if _, err := fmt.Fprintf(c, "GET %s\n", key); err != nil {
			return err
		}
		_, err := fmt.Fscan(c, &n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Reads find nothing where nothing is, and a DEL finds a key once.
func TestMisses(t *testing.T) {
	each(t, func(t *testing.T, s *served.Node, c Config) {
		c.Mix, c.Contents.Keys = mix(t, "get=1,has=1,del=1"), 10
		r := open(t, c).Run(t.Context())
		for name, o := range r.Operations {
			if o.Found != 0 || o.Missed != o.Answered || o.Answered == 0 {
				t.Errorf("%s: %+v", name, o)
			}
		}
		c.Mix = mix(t, "del")
		l := open(t, c)
		if err := l.Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if del := l.Run(t.Context()).Operations["del"]; del.Found != 10 || del.Answered != c.Requests {
			t.Errorf("%+v", del)
		}
	})
}

// Answers that come in pieces of any length are counted the same.
func TestAnswersInPieces(t *testing.T) {
	each(t, func(t *testing.T, s *served.Node, c Config) {
		c.Mix, c.Pipeline, c.Contents.Sizes = mix(t, "get=1,incr=1"), 50, Sizes{1, 3000}
		stream := c.Driver.(*Stream)
		stream.ReadsUpTo = 1
		c.Contents.Keys, c.Connections = 20, 2
		l := open(t, c)
		if err := l.Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := l.Run(t.Context()); r.Answered != c.Requests || len(r.Errors) > 0 {
			t.Errorf("%+v", r)
		}
	})
}

// With TLS it is the same, and a certificate that nobody has vouched for is refused.
func TestTLS(t *testing.T) {
	s := serve(t)
	other := httptest.NewTLSServer(nil) // for its certificate
	defer other.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Server.ServeTLS(l, func() *tls.Config { return other.TLS.Clone() }) }()
	trusted := x509.NewCertPool()
	trusted.AddCert(other.Certificate())
	c := Config{
		Driver: &Stream{Dialect: Text{user, password}, TLS: &tls.Config{RootCAs: trusted}}, Addresses: []string{l.Addr().String()}, Connections: 3,
		Pipeline: 10, Mix: mix(t, "get=1,set=1"), Contents: Contents{Prefix: "bench:", Keys: 10, Sizes: Sizes{1, 20_000}}, Requests: 500,
	}
	load := open(t, c)
	if err := load.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := load.Run(t.Context()); r.Answered != 500 || len(r.Errors) > 0 || r.Operations["get"].Missed > 0 {
		t.Errorf("%+v", r)
	}
	c.Driver = &Stream{Dialect: Text{user, password}, TLS: &tls.Config{}}
	var unknown x509.UnknownAuthorityError
	if _, err := Open(t.Context(), c); !errors.As(err, &unknown) {
		t.Errorf("a stranger's certificate: %v", err)
	}
}

// A password that is wrong is tried once, whatever the number of connections.
func TestWrongPassword(t *testing.T) {
	each(t, func(t *testing.T, s *served.Node, c Config) {
		switch d := c.Driver.(*Stream).Dialect.(type) {
		case Text:
			c.Driver = &Stream{Dialect: Text{d.User, "wrong"}}
		case RESP:
			c.Driver = &Stream{Dialect: RESP{d.User, "wrong"}}
		}
		var failed atomic.Int32
		s.Accounts.OnFailure(func(accounts.Failure) { failed.Add(1) })
		c.Mix, c.Connections = mix(t, "get"), 50
		_, err := Open(t.Context(), c)
		var r *Refused
		if !errors.As(err, &r) || codeOf(r.Line) != "AUTH_FAILED" && codeOf(r.Line) != "WRONGPASS" {
			t.Errorf("%v", err)
		}
		if n := failed.Load(); n != 1 {
			t.Errorf("%d logins have failed", n)
		}
	})
}

// What is answered with an error is counted by its kind, with an example, and is no answer.
func TestErrorsByKind(t *testing.T) {
	each(t, func(t *testing.T, s *served.Node, c Config) {
		if err := s.Accounts.SetQuota(user, 64<<10); err != nil {
			t.Fatal(err)
		}
		c.Mix, c.Contents.Sizes, c.Requests = mix(t, "set=1,has=1"), Sizes{100_000, 100_000}, 100
		c.Pipeline = 5
		l := open(t, c)
		err := l.Fill(t.Context())
		var refused *Refused
		if !errors.As(err, &refused) {
			t.Fatalf("filling: %v", err)
		}
		r := open(t, c).Run(t.Context())
		if len(r.Errors) != 1 || r.Errors[0].Name != codeOf(refused.Line) || r.Errors[0].Example != refused.Line ||
			r.Errors[0].Count+r.Answered != c.Requests || r.Answered != r.Operations["has"].Answered || r.Answered == 0 || len(r.Operations) != 1 {
			t.Errorf("%+v, filling: %v", r, err)
		}
	})
}

// A server that dies midway: what has no answer is counted, and the load goes on where there is another.
func TestServerDies(t *testing.T) {
	each(t, func(t *testing.T, s *served.Node, c Config) {
		other := serve(t)
		if c.Addresses[0] == s.RESP {
			c.Addresses = append(c.Addresses, other.RESP)
		} else {
			c.Addresses = append(c.Addresses, other.Text)
		}
		c.Mix, c.Requests, c.For = mix(t, "set"), 0, time.Hour
		driver := &connects{Driver: c.Driver}
		c.Driver = driver
		l := open(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		results := make(chan Result)
		go func() { results <- l.Run(ctx) }()
		await(t, func() bool { return s.FSM().Stats().Items > 0 && other.FSM().Stats().Items > 0 })
		_ = s.Server.Close()
		await(t, func() bool { return int(driver.made.Load()) == c.Connections+2 })
		before := len(other.Groups())
		await(t, func() bool { return len(other.Groups()) > before+10 })
		cancel()
		r := <-results
		if r.Answered == 0 || r.Reconnected != 2 || r.LongestWait <= 0 || len(r.Errors) == 0 {
			t.Errorf("%+v", r)
		}
		lost := int64(0)
		for _, p := range r.Errors {
			if p.Name == lostConnection {
				lost += p.Count
			}
		}
		if r.Unanswered > lost || r.Unanswered > 2 {
			t.Errorf("%d without an answer: %+v", r.Unanswered, r.Errors)
		}
	})
}

// connects counts the connections that were made.
type connects struct {
	Driver
	made atomic.Int32
}

func (c *connects) Connect(ctx context.Context, address string) (Conn, error) {
	conn, err := c.Driver.Connect(ctx, address)
	if err == nil {
		c.made.Add(1)
	}
	return conn, err
}

func await(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

// What does not answer any more holds up nobody longer than giveUp, and is told.
func TestSilence(t *testing.T) {
	s := serve(t)
	silent := make(chan struct{})
	defer close(silent)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprint(conn, "LOGIN or SIGNUP\nLogin successful\n")
				for in := bufio.NewScanner(conn); in.Scan() && !strings.HasPrefix(in.Text(), "SET "); {
				}
				fmt.Fprint(conn, "OK\n")
				<-silent
			}()
		}
	}()
	c := Config{
		Driver: &Stream{Dialect: Text{user, password}}, Addresses: []string{l.Addr().String(), s.Text}, Connections: 2, Pipeline: 3,
		Mix: mix(t, "set"), Contents: Contents{Prefix: "bench:", Keys: 10, Sizes: Sizes{3, 3}}, For: time.Second,
	}
	r := open(t, c).Run(t.Context())
	if r.Unanswered != 2 || len(r.Errors) != 1 || r.Errors[0].Name != noReply || r.Errors[0].Count != 2 || r.Answered < 4 {
		t.Errorf("%+v", r)
	}
	if r.LongestWait < 1 || r.LongestWait > 1001 || r.Seconds != 1 {
		t.Errorf("longest %v ms of %v s", r.LongestWait, r.Seconds)
	}
}

// The end comes when it is asked for, with what there is; warming up counts for nothing.
func TestInterrupted(t *testing.T) {
	each(t, func(t *testing.T, s *served.Node, c Config) {
		c.Mix, c.Requests, c.For, c.WarmUp = mix(t, "set"), 0, time.Hour, time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		l := open(t, c)
		go func() {
			defer cancel()
			await(t, func() bool { return s.FSM().Stats().Items > 0 })
		}()
		if r := l.Run(ctx); r.Answered != 0 || r.Seconds != 0 || r.Unanswered != 0 || r.PerSecond != 0 {
			t.Errorf("warming up: %+v", r)
		}
		c.WarmUp = 0
		ctx, cancel = context.WithCancel(t.Context())
		l = open(t, c)
		before := len(s.Groups())
		go func() {
			defer cancel()
			await(t, func() bool { return len(s.Groups()) > before+10 })
		}()
		if r := l.Run(ctx); r.Answered == 0 || r.Seconds <= 0 || r.Seconds > 60 || len(r.Errors) > 0 {
			t.Errorf("%+v", r)
		}
	})
}

// Somebody's keys are seen before anything is written.
func TestSomeKey(t *testing.T) {
	each(t, func(t *testing.T, s *served.Node, c Config) {
		stream := c.Driver.(*Stream)
		keeper := stream.Dialect.(Keeper)
		look := func() string {
			t.Helper()
			key, err := keeper.SomeKey(t.Context(), stream, c.Addresses[0], "bench:")
			if err != nil {
				t.Fatal(err)
			}
			return key
		}
		if key := look(); key != "" {
			t.Errorf("%q is there", key)
		}
		other := c
		other.Contents.Prefix, other.Contents.Keys = "benches:", 3000
		if err := open(t, other).Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if key := look(); key != "" {
			t.Errorf("%q begins with another prefix", key)
		}
		c.Contents.Keys = 1
		if err := open(t, c).Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if key := look(); key != KeyName("bench:", 0) {
			t.Errorf("%q is there", key)
		}
	})
}

// With a rate so many are sent; what waits because a connection is not free has waited since it was due.
func TestRate(t *testing.T) {
	d := &slowly{pause: 20 * time.Millisecond}
	c := Config{
		Driver: d, Addresses: []string{""}, Connections: 1, Pipeline: 1, Mix: mix(t, "get"), Rate: 1000, Requests: 10,
		Contents: Contents{Keys: 10, Sizes: Sizes{1, 1}},
	}
	r := open(t, c).Run(t.Context())
	// The tenth was due after 9 ms, and answered after at least 200.
	if r.Milliseconds.Max < 185 || r.Milliseconds.P50 < 70 {
		t.Errorf("corrected: %+v", r.Milliseconds)
	}
	c.Rate = 0
	if r := open(t, c).Run(t.Context()); r.Milliseconds.P50 < 19 || r.Milliseconds.P50 > r.Milliseconds.Max {
		t.Errorf("as fast as it answers: %+v", r.Milliseconds)
	}
	d.pause, c.Rate, c.Requests = 0, 200, 20
	if r := open(t, c).Run(t.Context()); r.Seconds < 0.09 {
		t.Errorf("20 at 200 a second took %v s", r.Seconds)
	}
}

// slowly is a Driver that answers each request after a pause.
type slowly struct {
	pause time.Duration
	mu    sync.Mutex
	asked map[Request]int
}

func (d *slowly) Prepare(*Contents) {}

func (d *slowly) Connect(context.Context, string) (Conn, error) { return d, nil }

func (d *slowly) Do(b *Burst, answered func(from, to int)) error {
	time.Sleep(d.pause)
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, r := range b.Requests {
		if b.Outcomes[i] = Done; d.asked != nil {
			d.asked[r]++
		}
	}
	answered(0, len(b.Requests))
	return nil
}

func (*slowly) Interrupt(time.Duration) {}
func (*slowly) Close()                  {}

// The mix, the sizes and the keys are as often as they were asked for.
func TestProportions(t *testing.T) {
	for _, weights := range []string{"get=70,set=20,del=10", "get=700000,set=200000,del=100000"} {
		d := &slowly{asked: map[Request]int{}}
		c := Config{
			Driver: d, Addresses: []string{""}, Connections: 3, Pipeline: 10, Mix: mix(t, weights), Requests: 30_000,
			Contents: Contents{Keys: 100, Sizes: Sizes{10, 13}}, Seed: 5,
		}
		open(t, c).Run(t.Context())
		ops, sizes, keys := map[Operation]int{}, map[uint8]int{}, map[uint64]int{}
		for r, n := range d.asked {
			ops[r.Operation] += n
			sizes[r.Size] += n
			keys[r.Key] += n
		}
		if !near(ops[Get], 21_000) || !near(ops[Set], 6000) || !near(ops[Delete], 3000) || ops[Get]+ops[Set]+ops[Delete] != 30_000 {
			t.Errorf("%s: %v", weights, ops)
		}
		for size := range uint8(4) {
			if !near(sizes[size], 7500) {
				t.Errorf("%s: sizes %v", weights, sizes)
			}
		}
		if len(keys) != 100 || len(sizes) != 4 {
			t.Errorf("%s: %d keys, %d sizes", weights, len(keys), len(sizes))
		}
	}
}

// near: five standard deviations of a count are not exceeded.
func near(n, want int) bool {
	d := n - want
	return d*d <= 25*want
}
