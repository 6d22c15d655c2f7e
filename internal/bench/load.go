package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Config says what load to make.
type Config struct {
	Driver      Driver
	Addresses   []string // connections are spread over them
	Connections int
	Pipeline    int // requests that are sent at once; the next ones once all of them are answered
	Mix         Mix
	Contents    Contents // Value is made if there is none
	Exponent    float64  // of a Zipf distribution of keys; 0: all are as likely
	// Rate is how many requests a second are sent; 0: as many as are answered.
	Rate     float64
	WarmUp   time.Duration // before what is measured
	For      time.Duration // what is measured takes that long,
	Requests int64         // or, if this is not 0, so many
	Seed     uint64
	// Progress is told every second how it goes; may be nil.
	Progress func(Progress)
}

const (
	// dialsAtOnce is how many connections are made at a time: a login may take a core of the server.
	dialsAtOnce = 16
	// giveUp is how long what was asked before the end may still take.
	giveUp = 2 * time.Second
	// replyTimeout is how long any answer may take: longer than a node waits for a leader.
	replyTimeout = 30 * time.Second
	tick         = time.Second
)

// Load is a load with its connections. Its methods are called one after the other.
type Load struct {
	config Config
	slots  []slot // of the connections
	shards []*shard
}

// slot has a connection, nil while it is lost.
type slot struct {
	mu   sync.Mutex
	conn Conn
}

func (s *slot) get() Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

func (s *slot) set(c Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = c
}

// interrupt ends what the connection waits for, after that time.
func (s *slot) interrupt(after time.Duration) {
	if c := s.get(); c != nil {
		c.Interrupt(after)
	}
}

// drop closes the connection.
func (s *slot) drop() {
	if c := s.get(); c != nil {
		c.Close()
	}
	s.set(nil)
}

// Open connects. The first connection is made alone: a wrong password is tried once.
func Open(ctx context.Context, config Config) (*Load, error) {
	if config.Contents.Value == nil {
		config.Contents.Value = value(config.Contents.Sizes.Max, config.Seed)
	}
	config.Driver.Prepare(&config.Contents)
	l := &Load{config: config, slots: make([]slot, config.Connections)}
	first, err := config.Driver.Connect(ctx, config.Addresses[0])
	if err != nil {
		return nil, err
	}
	l.slots[0].set(first)
	if err := l.connectOthers(ctx); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Load) connectOthers(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	places := make(chan struct{}, dialsAtOnce)
	var wg sync.WaitGroup
	for i := 1; i < len(l.slots); i++ {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			conn, err := l.config.Driver.Connect(ctx, l.address(i))
			if err != nil {
				cancel(fmt.Errorf("connection %d of %d, to %s: %w", i+1, len(l.slots), l.address(i), err))
				return
			}
			l.slots[i].set(conn)
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (l *Load) address(i int) string { return l.config.Addresses[i%len(l.config.Addresses)] }

// Close ends all connections.
func (l *Load) Close() {
	for i := range l.slots {
		l.slots[i].drop()
	}
}

// value is text that no compression makes much smaller, of letters, so that it needs no quotes.
func value(size int, seed uint64) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	random := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, size)
	for i := range b {
		b[i] = letters[random.IntN(len(letters))]
	}
	return b
}

// Fill stores a value for every key.
func (l *Load) Fill(ctx context.Context) error { return l.each(ctx, Set, fillBytes) }

// Remove deletes all keys, and the counters if the mix has such.
func (l *Load) Remove(ctx context.Context) error {
	err := l.each(ctx, Delete, removeBytes)
	if l.config.Mix[Incr] > 0 && err == nil {
		err = l.each(ctx, dropCounter, removeBytes)
	}
	return err
}

const (
	// What fills and removes is in bursts of at most so many requests and so many bytes of values.
	eachAtOnce  = 128
	fillBytes   = 256 << 10
	removeBytes = 0
	// eachConns is on how many connections.
	eachConns = 64
)

// each does something to all keys. Connections that were lost are made anew.
func (l *Load) each(ctx context.Context, o Operation, bytes int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	atOnce := eachAtOnce
	if bytes > 0 {
		atOnce = min(max(bytes/l.config.Contents.Sizes.Max, 1), atOnce)
	}
	var next sequence
	var wg sync.WaitGroup
	sizes := len(l.config.Contents.Sizes.steps())
	for i := range min(len(l.slots), eachConns) {
		wg.Go(func() {
			if err := l.eachOn(ctx, i, func(b *Burst) bool {
				from, to := next.take(atOnce, l.config.Contents.Keys)
				b.Requests = b.Requests[:0]
				for key := from; key < to; key++ {
					b.Requests = append(b.Requests, Request{o, uint8(key % sizes), uint64(key)})
				}
				b.Outcomes = make([]Outcome, len(b.Requests))
				return to > from
			}); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// eachOn sends bursts on a connection until there are no more.
func (l *Load) eachOn(ctx context.Context, i int, next func(*Burst) bool) error {
	stop := context.AfterFunc(ctx, func() { l.slots[i].interrupt(0) })
	defer stop()
	var b Burst
	for next(&b) && ctx.Err() == nil {
		for try := 0; ; try++ {
			err := l.send(ctx, i, try, &b)
			if err == nil {
				break
			}
			l.slots[i].drop()
			if try == len(l.config.Addresses) || ctx.Err() != nil {
				return err
			}
		}
		if len(b.Errors) > 0 {
			return &Refused{b.Errors[0]}
		}
	}
	return nil
}

// send sends a burst once, on a new connection if there is none.
func (l *Load) send(ctx context.Context, i, try int, b *Burst) (err error) {
	conn := l.slots[i].get()
	if conn == nil {
		if conn, err = l.config.Driver.Connect(ctx, l.address(i+try)); err != nil {
			return err
		}
		l.slots[i].set(conn)
	}
	conn.Interrupt(replyTimeout)
	if err = ctx.Err(); err != nil { // its Interrupt may have been before ours
		return err
	}
	b.begin()
	return conn.Do(b, func(int, int) {})
}

// sequence gives out numbers, each once.
type sequence struct {
	mu   sync.Mutex
	next int
}

func (s *sequence) take(n, end int) (from, to int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from = s.next
	to = min(from+n, end)
	s.next = to
	return from, to
}

// Run measures, until it has taken its time or ctx is done, and returns what it has measured so far.
func (l *Load) Run(ctx context.Context) Result {
	c := &l.config
	r := newRun(l)
	l.shards = make([]*shard, shardsOf(len(l.slots)))
	for i := range l.shards {
		l.shards[i] = newShard()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.Requests == 0 {
		ctx, cancel = context.WithDeadline(ctx, r.begin.Add(c.For))
		defer cancel()
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	for i := range l.slots {
		w := newWorker(r, i)
		wg.Go(func() { w.work(ctx) })
	}
	go func() {
		wg.Wait()
		close(over)
	}()
	total := r.watch(ctx, over)
	for _, s := range l.shards {
		s.drainInto(total, nil)
	}
	return total.result(r.length(), c)
}

// answer returns what a server has said to a login, if err is that.
func answer(err error) (line string, ok bool) {
	var r *Refused
	if ok = errors.As(err, &r); ok {
		line = r.Line
	}
	return line, ok
}
