package pipeline

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
)

const (
	self        = "a/1"
	incarnation = 7
	user        = 1 // the first account that an FSM makes
)

// world is a pipeline, an FSM that holds what got into the log, and between them sinks that do to
// batches what a network and dying leaders do. Its network is perfect until a test says otherwise.
type world struct {
	t        *testing.T
	pipeline *Pipeline
	fsm      *fsm.FSM
	cancel   context.CancelFunc
	ran      chan struct{} // closed when Run has returned

	mu      sync.Mutex // all below, and what the FSM applies
	leader  string
	fate    func() fate // of the next batch that is sent
	late    [][]byte    // on their way for longer than their sink lived
	index   uint64
	entries int // that got into the log, whatever the FSM made of them
	sent    int // by Send
}

// fate is what becomes of a batch that a sink has taken.
type fate int

const (
	arrives     fate = iota
	refused          // Send fails
	lost             // and the sink is known to be broken
	vanishes         // and nobody knows
	comesTwice       // at once
	comesLate        // when other sinks have sent it and more already
	takesAWhile      // and blocks its sender
)

func newWorld(t *testing.T) *world {
	w := &world{t: t, leader: "b/2", fate: func() fate { return arrives }, ran: make(chan struct{})}
	w.pipeline = New(Config{
		Origin: self, Incarnation: incarnation, Leader: w.who, Open: w.open, Log: hclog.NewNullLogger(),
	})
	w.fsm = fsm.New(self, fsm.Hooks{Results: w.pipeline.Applied, Restored: w.pipeline.Restored})
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	go func() { defer close(w.ran); w.pipeline.Run(ctx) }()
	if r := w.do(fsm.Command{Op: fsm.OpSignup, Name: []byte("u"), Value: []byte("hash")}); r.Kind != fsm.KindUser {
		t.Fatal("no account:", r)
	}
	return w
}

// stop ends Run and waits for it.
func (w *world) stop() {
	w.cancel()
	<-w.ran
}

func (w *world) who() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leader
}

// lead says who leads from now on; empty: nobody.
func (w *world) lead(id string) {
	w.mu.Lock()
	w.leader = id
	w.mu.Unlock()
	w.pipeline.LeaderChanged()
}

func (w *world) setFate(next func() fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fate = next
}

func (w *world) open(context.Context) (Sink, error) {
	leader := w.who()
	if leader == "" {
		return nil, ErrNoLeader
	}
	return &wire{world: w, id: leader, gone: make(chan struct{})}, nil
}

// commit puts an entry into the log and applies it; mu is held.
func (w *world) commit(entry []byte) {
	w.index++
	w.entries++
	w.fsm.Apply(&raft.Log{Index: w.index, Term: 1, Type: raft.LogCommand, Data: entry})
}

// arriveLate lets all that is still on its way arrive.
func (w *world) arriveLate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, entry := range w.late {
		w.commit(entry)
	}
	w.late = nil
}

// do proposes one command and gives its result.
func (w *world) do(c fsm.Command) fsm.Result {
	w.t.Helper()
	results, err := w.propose(c).Wait()
	if err != nil {
		w.t.Fatalf("operation %d: %v", c.Op, err)
	}
	return results[0]
}

func (w *world) propose(commands ...fsm.Command) *Proposal {
	return w.pipeline.Propose(fsm.NewGroup(commands...), 5*time.Second)
}

func incr(key string) fsm.Command {
	return fsm.Command{Op: fsm.OpIncr, User: user, Key: []byte(key), N: 1}
}

// value is what the FSM holds under key.
func (w *world) value(key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	item, ok := w.fsm.Reader(user).Keyspace().Get([]byte(key), 0)
	if !ok {
		return ""
	}
	return string(item.Value)
}

// wire is a sink.
type wire struct {
	world *world
	id    string
	once  sync.Once
	gone  chan struct{}
}

func (s *wire) Send(b *Batch) error {
	entry := append([]byte(nil), b.Entry()...)
	fsm.SetStamp(entry, 1)
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	switch w.fate() {
	case refused:
		return errors.New("refused")
	case lost:
		s.once.Do(func() { close(s.gone) })
	case vanishes:
	case comesTwice:
		w.commit(entry)
		w.commit(entry)
	case comesLate:
		w.late = append(w.late, entry)
		s.once.Do(func() { close(s.gone) })
	case takesAWhile:
		w.mu.Unlock()
		time.Sleep(time.Duration(1+rand.IntN(20)) * time.Millisecond)
		w.mu.Lock()
		w.commit(entry)
	default:
		w.commit(entry)
	}
	return nil
}

func (s *wire) Broken() <-chan struct{} { return s.gone }
func (s *wire) Leader() string          { return s.id }
func (s *wire) Close()                  {}
