package eviction

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
)

// log is a log that is applied a moment after it is written, as that of a leader.
type log struct {
	*Evictor
	t       *testing.T
	fsm     *fsm.FSM
	entries chan []byte
	weights *fsm.Weights
	applier sync.WaitGroup
	leads   atomic.Bool
	term    atomic.Uint64
	lost    atomic.Bool // the next entry never gets there

	given, applied atomic.Uint64 // entries

	mu       sync.Mutex
	index    uint64
	sequence uint64
	refused  map[fsm.Kind]int
	highest  int64  // memory
	check    func() // after each entry
}

func newLog(t *testing.T, l fsm.Limits) *log {
	before := roomTimeout
	roomTimeout = time.Minute // what has not had its turn is not late
	t.Cleanup(func() { roomTimeout = before })
	g := &log{t: t, entries: make(chan []byte, 64), refused: map[fsm.Kind]int{}}
	g.leads.Store(true)
	g.fsm = fsm.New("a/1", fsm.Hooks{Results: func(_, _ uint64, results []fsm.Result) {
		for _, r := range results {
			if r.Kind >= fsm.KindUserExists && r.Kind <= fsm.KindReserved {
				g.refused[r.Kind]++
			}
		}
	}})
	g.weights = fsm.NewWeights(g.fsm)
	g.Evictor = New(Config{
		Leads: g.leads.Load, Term: g.term.Load, AppliedBytes: g.fsm.AppliedBytes,
		Shares:  func() fsm.Shares { return g.fsm.Shares().With(func() *fsm.Weights { return g.weights }) },
		Confirm: func(time.Duration) error { return g.barrier() }, Now: func() int64 { return 1 },
		Give: func(entry []byte) error { g.give(entry); return nil }, Log: hclog.NewNullLogger(),
	})
	g.applier.Go(g.apply)
	t.Cleanup(func() {
		close(g.entries)
		g.applier.Wait()
	})
	limits := fsm.Command{Op: fsm.OpLimits, N: l.MaxMemory, Limit: l.Quota}
	if l.Reject {
		limits.Flags = fsm.FlagReject
	}
	g.write(limits)
	return g
}

// user makes a user and returns its id.
func (g *log) user(name string) uint64 {
	g.write(fsm.Command{Op: fsm.OpRegister, Name: []byte(name), Value: []byte("hash")})
	g.settle()()
	u, ok := g.fsm.Lookup([]byte(name))
	if !ok {
		g.t.Fatalf("%s is not there", name)
	}
	return u.ID
}

// settle waits for all that was given, and holds up what is given after that until the function it returns is called.
func (g *log) settle() (unlock func()) {
	_ = g.barrier()
	g.mu.Lock()
	return g.mu.Unlock
}

// barrier returns once all that was given is applied.
func (g *log) barrier() error {
	for g.applied.Load() < g.given.Load() {
		time.Sleep(50 * time.Microsecond)
	}
	return nil
}

func (g *log) give(entry []byte) {
	if !g.lost.Swap(false) {
		g.given.Add(1)
		g.entries <- entry
	}
}

func (g *log) apply() {
	for entry := range g.entries {
		g.mu.Lock()
		g.index++
		g.fsm.Apply(&raft.Log{Index: g.index, Term: 1, Type: raft.LogCommand, Data: entry})
		g.highest = max(g.highest, g.fsm.Shares().Memory())
		if g.check != nil {
			g.check()
		}
		g.mu.Unlock()
		g.applied.Add(1)
		if g.index%8 == 0 {
			time.Sleep(100 * time.Microsecond) // so that some are in flight
		}
	}
}

// write brings a batch into the log.
func (g *log) write(commands ...fsm.Command) {
	g.sequence++
	h := fsm.Header{Origin: []byte("a/1"), Incarnation: 1, Sequence: g.sequence, Stamp: 1, Count: len(commands)}
	var body []byte
	for i := range commands {
		body = fsm.AppendCommand(body, &commands[i])
		h.Version = max(h.Version, byte(commands[i].Since()))
	}
	entry, err := fsm.Refuse(fsm.AppendBatch(nil, h, body), fsm.Refusal{Weights: g.weights})
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.Admit(entry, func() error { g.give(entry); return nil }); err != nil {
		g.t.Error(err)
	}
}

func (g *log) usage(user uint64) fsm.Usage {
	u, _ := g.fsm.Shares().Of(user)
	return u
}

// run works ahead of need until the test ends.
func (g *log) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { g.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func item(r *rand.Rand, user uint64, keys, most int) fsm.Command {
	return fsm.Command{
		Op: fsm.OpSet, User: user, Key: fmt.Appendf(nil, "key-%d", r.IntN(keys)), Value: make([]byte, r.IntN(most)),
	}
}

// However fast items come, of whatever size, none is refused, and memory ends close above the limit at most: with the
// evictor that works ahead, and without.
func TestTheGateHolds(t *testing.T) {
	const limit = fsm.MinMemory
	for _, ahead := range []bool{false, true} {
		for _, most := range []int{1500, 200_000} {
			t.Run(fmt.Sprint(ahead, most), func(t *testing.T) {
				g := newLog(t, fsm.Limits{MaxMemory: limit})
				user, r := g.user("alice"), rand.New(rand.NewPCG(1, uint64(most)))
				if ahead {
					g.run(t)
				}
				for written := 0; written < 2*limit; {
					var batch []fsm.Command
					for size := 0; size < 200<<10 && len(batch) < 1024; {
						c := item(r, user, 1_000_000, most)
						batch = append(batch, c)
						size += len(c.Value) + 100
						written += len(c.Value) + 100
					}
					g.write(batch...)
				}
				defer g.settle()()
				if len(g.refused) > 0 || g.highest > limit+limit/16+passWhole || g.usage(user).Evicted == 0 || g.Stats().Late > 0 {
					t.Errorf("refused %v, at most %d of memory, %+v", g.refused, g.highest, g.Stats())
				}
				if memory := g.fsm.Shares().Memory(); memory < limit*3/4 {
					t.Errorf("only %d of %d are used", memory, limit)
				}
			})
		}
	}
}

// So it does for what is copied and moved, in transactions or not, though its size stands in no entry.
func TestTheGateHoldsForCopies(t *testing.T) {
	const limit = fsm.MinMemory
	for _, most := range []int{14_000, 200_000} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			g := newLog(t, fsm.Limits{MaxMemory: limit})
			user, r := g.user("alice"), rand.New(rand.NewPCG(2, uint64(most)))
			for i := range 300 {
				var batch []fsm.Command
				for size := 0; size < 200<<10 && len(batch) < 1000; {
					c := copying(r, user, most)
					batch = append(batch, c)
					size += len(c.Value) + 100
				}
				g.write(batch...)
				if i%20 == 0 {
					g.settle()()
					g.weights.Forget()
				}
			}
			defer g.settle()()
			refused := g.refused[fsm.KindAtLimit] + g.refused[fsm.KindQuota]
			if refused > 0 || g.highest > limit+limit/16+passWhole || g.usage(user).Evicted == 0 || g.Stats().Late > 0 {
				t.Errorf("refused %v, at most %d of memory, %+v", g.refused, g.highest, g.Stats())
			}
		})
	}
}

// copying is a SET, or something that makes more of what is there.
func copying(r *rand.Rand, user uint64, most int) fsm.Command {
	key := func() []byte { return fmt.Appendf(nil, "key-%d", r.IntN(1000)) }
	switch r.IntN(10) {
	case 0, 1, 5, 6:
		return fsm.Command{Op: fsm.OpMove, User: user, Key: key(), Arg: fmt.Appendf(nil, "copy-%d", r.IntN(100_000)), Flags: fsm.FlagCopy}
	case 2:
		return fsm.Command{Op: fsm.OpMove, User: user, Key: key(), Arg: key()}
	case 3:
		return fsm.Command{Op: fsm.OpSetRange, User: user, Key: key(), N: r.Int64N(int64(most)), Value: []byte("v")}
	case 4:
		c := fsm.Command{Op: fsm.OpExec, User: user, Exec: &fsm.Transaction{}}
		for range r.IntN(6) {
			if inside := copying(r, user, most); inside.Op != fsm.OpExec {
				c.Exec.Add(&inside)
			}
		}
		return c
	}
	return item(r, user, 1000, most)
}

// A user within its share loses nothing while others flood, however many they are.
func TestSharesHold(t *testing.T) {
	const limit = 16 << 20
	g := newLog(t, fsm.Limits{MaxMemory: limit})
	g.run(t)
	quiet := g.user("quiet")
	g.write(fsm.Command{Op: fsm.OpReserve, User: quiet, N: 2 << 20})
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		g.write(fsm.Command{Op: fsm.OpSet, User: quiet, Key: fmt.Append(nil, i), Value: make([]byte, 1500)})
	}
	var floods []uint64
	for i := range 50 {
		floods = append(floods, g.user(fmt.Sprint("flood", i)))
	}
	for range 150 {
		var batch []fsm.Command
		for range 150 {
			batch = append(batch, item(r, floods[r.IntN(len(floods))], 1000, 3000))
		}
		g.write(batch...)
	}
	defer g.settle()()
	if u := g.usage(quiet); u.Evicted > 0 || len(g.refused) > 0 || g.fsm.Shares().Evicted() < 1000 {
		t.Errorf("%+v; refused %v", u, g.refused)
	}
}

// Who has most beyond its guarantee gives first.
func TestTheLargestGivesFirst(t *testing.T) {
	const limit = 16 << 20
	g := newLog(t, fsm.Limits{MaxMemory: limit})
	small, large := g.user("small"), g.user("large")
	for i := range 1300 {
		g.write(fsm.Command{Op: fsm.OpSet, User: large, Key: fmt.Append(nil, i), Value: make([]byte, 10_000)})
	}
	for i := range 600 {
		g.write(fsm.Command{Op: fsm.OpSet, User: small, Key: fmt.Append(nil, i), Value: make([]byte, 10_000)})
	}
	defer g.settle()()
	if s, l := g.usage(small), g.usage(large); s.Evicted > 0 || l.Evicted < 100 {
		t.Errorf("small %+v, large %+v", s, l)
	}
}

// A quota binds its user alone, and holds for a burst of large values too.
func TestQuotasHold(t *testing.T) {
	for _, quota := range []int64{fsm.MinQuota, 1 << 20, 8 << 20} {
		g := newLog(t, fsm.Limits{Quota: quota})
		g.run(t)
		alice, bob := g.user("alice"), g.user("bob")
		g.write(fsm.Command{Op: fsm.OpQuota, User: bob, N: 256 << 20})
		most := int64(0)
		g.mu.Lock()
		g.check = func() { most = max(most, g.usage(alice).Memory) }
		g.mu.Unlock()
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 80 {
			var batch []fsm.Command
			for range 50 {
				batch = append(batch, item(r, alice, 100_000, 10_000))
			}
			batch = append(batch, fsm.Command{Op: fsm.OpSet, User: bob, Key: fmt.Append(nil, i), Value: make([]byte, 5000)})
			g.write(batch...)
		}
		unlock := g.settle()
		if b := g.usage(bob); b.Evicted > 0 || len(g.refused) > 0 || most > quota+quota/8+1<<20 {
			t.Errorf("quota %d: bob %+v; refused %v; alice at most %d; %+v", quota, b, g.refused, most, g.Stats())
		}
		unlock()
	}
}

// In a new term, and when entries were lost, it waits until it knows what is in flight again.
func TestWhatIsLost(t *testing.T) {
	g := newLog(t, fsm.Limits{MaxMemory: fsm.MinMemory})
	user := g.user("alice")
	put := func(i int) {
		g.write(fsm.Command{Op: fsm.OpSet, User: user, Key: fmt.Append(nil, i), Value: make([]byte, 1000)})
	}
	put(1)
	g.lost.Store(true)
	g.sequence-- // Raft's caller sends it again
	put(2)
	g.settle()()
	if g.flight.drain(g.fsm.AppliedBytes()); g.flight.empty() {
		t.Fatal("the lost entry is not in flight")
	}
	g.flight.moved = g.flight.moved.Add(-2 * stuckAfter)
	put(3)
	if len(g.flight.entries) > 1 {
		t.Errorf("%d entries in flight", len(g.flight.entries))
	}
	g.term.Add(1)
	g.flight.total = 1 << 40
	put(4)
	if g.flight.total > 1<<20 {
		t.Errorf("%d bytes in flight in the new term", g.flight.total)
	}
	if len(g.refused) > 0 {
		t.Errorf("refused %v", g.refused)
	}
}

// An entry that was lost is not counted for ever, though others follow it all the time.
func TestALostEntryAmongOthers(t *testing.T) {
	g := newLog(t, fsm.Limits{MaxMemory: fsm.MinMemory})
	user := g.user("alice")
	put := func(i int) {
		g.write(fsm.Command{Op: fsm.OpSet, User: user, Key: fmt.Append(nil, i), Value: make([]byte, 1000)})
	}
	put(0)
	g.lost.Store(true)
	g.sequence--
	g.write(fsm.Command{Op: fsm.OpSet, User: user, Key: []byte("lost"), Value: make([]byte, 1<<20)})
	g.Lose() // as whoever waits for it does
	for i := range 100 {
		put(i)
	}
	g.settle()()
	if g.flight.drain(g.fsm.AppliedBytes()); !g.flight.empty() || g.flight.total != 0 {
		t.Errorf("%d entries and %d bytes are in flight", len(g.flight.entries), g.flight.total)
	}
}

// The log is told once that the limit to work to has changed.
func TestTheLimitIsToldOnce(t *testing.T) {
	g := newLog(t, fsm.Limits{MaxMemory: 1 << 30})
	g.settle()()
	g.Press([]Real{{Heap: 1600<<20 + besides, Counted: 800 << 20}})
	unlock := g.settle() // nothing is applied
	before := g.Stats().Entries
	for range 5 {
		g.ahead()
	}
	if told := g.Stats().Entries - before; told != 1 {
		t.Errorf("it was told %d times", told)
	}
	unlock()
}

// A node that takes much more than it counts has the leader work to less, by degrees back to the limit.
func TestPressure(t *testing.T) {
	const limit = 1 << 30
	g := newLog(t, fsm.Limits{MaxMemory: limit})
	g.settle()()
	real := func(heap, counted float64) Real {
		return Real{Heap: int64(heap * limit), Counted: int64(counted * limit)}
	}
	g.Press([]Real{real(0.9, 0.9), real(1.1, 0.9), {}})
	if got := g.aim(limit); got != limit {
		t.Errorf("works to %d without need", got)
	}
	g.Press([]Real{real(1, 1), real(1.8, 0.99)})
	if got := g.aim(limit); got < limit*64/100 || got > limit*69/100 {
		t.Errorf("works to %d of %d", got, limit)
	}
	g.Press([]Real{real(9, 0.9)})
	if got := g.aim(limit); got != limit/2 {
		t.Errorf("works to %d, less than half", got)
	}
	g.Press([]Real{real(1.1, 0.01)})
	if got := g.aim(limit); got <= limit/2 || got > limit/2+limit/recoverEach {
		t.Errorf("works to %d after one look", got)
	}
	g.ahead()
	g.settle()()
	if said := g.fsm.Shares().Working(); said != g.aim(limit) {
		t.Errorf("the log says %d, not %d", said, g.aim(limit))
	}
}

// Where nothing is evicted, the gate is open.
func TestRejectIsNotTheEvictors(t *testing.T) {
	g := newLog(t, fsm.Limits{MaxMemory: fsm.MinMemory, Reject: true})
	g.run(t)
	user := g.user("alice")
	for i := range 300 {
		g.write(fsm.Command{Op: fsm.OpSet, User: user, Key: fmt.Append(nil, i), Value: make([]byte, 100_000)})
	}
	defer g.settle()()
	if s := g.Stats(); s.Entries > 0 || g.refused[fsm.KindAtLimit] == 0 {
		t.Errorf("%+v; refused %v", s, g.refused)
	}
}

// busy has something in flight that is never applied.
func (g *log) busy() {
	g.ahead()
	defer g.settle()()
	g.flight.add(1<<30, fsm.Growth{})
}

// Nothing waits, and nothing is evicted, for what no room will help: a write that is larger than its user's quota, or
// one that stores nothing.
func TestNothingWaitsInVain(t *testing.T) {
	g := newLog(t, fsm.Limits{MaxMemory: 1 << 30})
	alice := g.user("alice")
	g.write(fsm.Command{Op: fsm.OpQuota, User: alice, N: fsm.MinQuota})
	g.write(fsm.Command{Op: fsm.OpSet, User: alice, Key: []byte("k"), Value: make([]byte, fsm.MinQuota/2)})
	g.settle()()
	g.busy()
	large := fsm.Command{Op: fsm.OpMSet, User: alice, Words: [][]byte{[]byte("a"), make([]byte, 1<<20), []byte("b"), make([]byte, 1<<20)}}
	g.write(large)
	unlock := g.settle()
	if u := g.usage(alice); u.Evicted > 0 || g.Stats().Waited > 0 || g.refused[fsm.KindQuota] != 1 {
		t.Errorf("%+v, %+v, refused %v", u, g.Stats(), g.refused)
	}
	unlock()

	g.write(fsm.Command{Op: fsm.OpQuota, User: alice})
	bob := g.user("bob")
	for i := range 60 {
		g.write(fsm.Command{Op: fsm.OpSet, User: bob, Key: fmt.Append(nil, i), Value: make([]byte, 1<<20)})
	}
	g.write(fsm.Command{Op: fsm.OpLimits, N: fsm.MinMemory})
	g.settle()()
	g.busy()
	g.flight.total += 1 << 40 // what comes is far too much
	g.write(fsm.Command{Op: fsm.OpDelete, User: bob, Words: [][]byte{[]byte("0")}}, fsm.Command{Op: fsm.OpFlush, User: bob})
	defer g.settle()()
	if g.Stats().Waited > 0 || g.usage(bob).Memory > 1<<20 {
		t.Errorf("%+v, %+v", g.usage(bob), g.Stats())
	}
}

// When the limit to work to falls by much, no write waits until all is evicted.
func TestAWriteDoesNotWaitForAll(t *testing.T) {
	g := newLog(t, fsm.Limits{MaxMemory: 32 << 20})
	user := g.user("alice")
	for i := range 40 {
		var batch []fsm.Command
		for k := range 1000 {
			batch = append(batch, fsm.Command{Op: fsm.OpSet, User: user, Key: fmt.Append(nil, i, k), Value: make([]byte, 700)})
		}
		g.write(batch...)
	}
	g.settle()()
	before := g.Stats().Entries
	g.target.Store(16 << 20)
	g.write(fsm.Command{Op: fsm.OpSet, User: user, Key: []byte("k"), Value: []byte("v")})
	if n := g.Stats().Entries - before; n > evictionsAtOnce+1 {
		t.Errorf("one write waited for %d evictions", n)
	}
	g.run(t)
	for deadline := time.Now().Add(30 * time.Second); g.fsm.Shares().Memory() > 16<<20 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	defer g.settle()()
	if memory := g.fsm.Shares().Memory(); memory > 16<<20 || len(g.refused) > 0 {
		t.Errorf("%d of memory, refused %v", memory, g.refused)
	}
}

// A limit to work to that is below what all have is worked to, though nobody has more than the old guarantee.
func TestALowerLimitIsWorkedTo(t *testing.T) {
	g := newLog(t, fsm.Limits{MaxMemory: fsm.MinMemory})
	user := g.user("alice")
	for i := range 130 {
		g.write(fsm.Command{Op: fsm.OpSet, User: user, Key: fmt.Append(nil, i), Value: make([]byte, 100_000)})
	}
	g.settle()()
	if u := g.usage(user); u.Memory > u.Guarantee || u.Memory < fsm.MinMemory*3/4 {
		t.Fatalf("%+v", u)
	}
	g.target.Store(fsm.MinMemory / 2)
	for range 50 {
		g.ahead()
		g.settle()()
	}
	if u := g.usage(user); u.Memory > fsm.MinMemory/2 {
		t.Errorf("%+v", u)
	}
}

// Writes wait while the heap of a node that writes a snapshot is large: only then, and never long.
func TestBrake(t *testing.T) {
	const limit = 1 << 30
	g := newLog(t, fsm.Limits{MaxMemory: limit})
	g.settle()()
	for _, tc := range []struct {
		heap    float64
		writing bool
		want    time.Duration
	}{{1.18, true, 0}, {1.3, false, 0}, {1.40625, false, brakeMost / 2}, {1.5, false, brakeMost}, {1.28125, true, brakeMost / 2}, {1.5, true, brakeMost}, {9, true, brakeMost}, {1.1, true, 0}} {
		g.Press([]Real{{Heap: limit / 2, Counted: limit}, {Heap: int64(tc.heap*limit) + besides, Counted: limit, Writing: tc.writing}})
		if got := time.Duration(g.brake.Load()); got != tc.want {
			t.Errorf("heap %.3f of the limit, a snapshot %v: entries wait %v, want %v", tc.heap, tc.writing, got, tc.want)
		}
	}
	for _, tc := range []struct {
		taken, limit int64
		want         time.Duration
		again        time.Duration
	}{
		{0, limit, 0, PressEvery}, {limit + limit*14/64, limit, 0, PressEvery}, {limit + limit*20/64, limit, 0, PressClosely},
		{limit + limit*24/64, limit, brakeMost / 2, PressClosely}, {limit + limit*31/64, limit, brakeMost, PressClosely},
		{140 << 20, 64 << 20, 0, PressClosely}, {220 << 20, 64 << 20, brakeMost, PressClosely}, {9 << 30, 0, 0, PressEvery},
	} {
		g := newLog(t, fsm.Limits{MaxMemory: tc.limit})
		g.settle()()
		again := g.Press([]Real{{Heap: tc.limit / 2, Counted: tc.limit}, {Heap: tc.limit / 2, Counted: tc.limit, Taken: tc.taken}})
		if got := time.Duration(g.brake.Load()); got != tc.want || again != tc.again {
			t.Errorf("%d MiB taken at a limit of %d: entries wait %v, want %v; again after %v, want %v",
				tc.taken>>20, tc.limit>>20, got, tc.want, again, tc.again)
		}
	}
	g.Press([]Real{{Heap: 2 * limit, Counted: limit, Writing: true}})
	user := g.user("alice")
	g.write(fsm.Command{Op: fsm.OpSet, User: user, Key: []byte("k"), Value: []byte("v")})
	g.term.Add(1)
	g.write(fsm.Command{Op: fsm.OpSet, User: user, Key: []byte("k"), Value: []byte("w")})
	if got := g.brake.Load(); got != 0 {
		t.Errorf("entries wait %v in the next term", time.Duration(got))
	}
}

// Without a limit nothing waits for it, though the brake was on when it was taken away.
func TestNoBrakeWithoutALimit(t *testing.T) {
	g := newLog(t, fsm.Limits{Quota: fsm.MinQuota})
	user := g.user("alice")
	g.settle()()
	g.brake.Store(int64(brakeMost))
	g.braking.Lock() // who waits does so for ever
	g.write(fsm.Command{Op: fsm.OpSet, User: user, Key: []byte("k"), Value: []byte("v")})
}
