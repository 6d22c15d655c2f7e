package pipeline

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ciderd/internal/fsm"
)

// Whatever becomes of what is sent, and whoever leads: a write with a result took effect exactly
// once, one without a result at most once, and the callers of one connection in their order.
func TestOnceWhateverHappens(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { onceWhateverHappens(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func onceWhateverHappens(t *testing.T, random *rand.Rand) {
	const clients, writes = 12, 30
	w := newWorld(t)
	w.setFate(func() fate { // called with w.mu held, so random has one user at a time
		if random.IntN(3) > 0 {
			return arrives
		}
		return fate(random.IntN(int(takesAWhile) + 1))
	})
	var logs [clients]told
	var wg sync.WaitGroup
	for i := range logs {
		wg.Go(func() { logs[i] = w.client(i, writes) })
	}
	clientsDone := make(chan struct{})
	go func() { wg.Wait(); close(clientsDone) }()
	w.unrest(clientsDone)

	w.setFate(func() fate { return arrives })
	w.lead("z/9")
	w.arriveLate()
	w.do(incr("other")) // writes go on
	w.pipeline.Close(t.Context())
	w.stop()
	w.arriveLate()
	w.judge(logs[:])
}

// unrest changes the leader, and lets late batches arrive, until done is closed.
func (w *world) unrest(done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		case <-time.After(37 * time.Millisecond):
		}
		w.lead([]string{"b/2", "", "c/3", "a/1"}[i%4])
		if i%3 == 0 {
			w.arriveLate()
		}
	}
}

// told is what one client was told.
type told struct {
	numbers []int64 // that its INCRs gave
	unknown int     // TIMEOUT
	names   []string
	lost    map[string]bool // of its APPENDs, those with an unknown outcome
}

// client writes as a session does that pipelines: two commands in a proposal, an INCR of the counter
// that all share and an APPEND to a text of its own.
func (w *world) client(id, writes int) told {
	own := "text" + strconv.Itoa(id)
	got := told{lost: map[string]bool{}}
	for i := range writes {
		name := fmt.Sprintf("%d,", i)
		results, err := w.propose(incr("n"),
			fsm.Command{Op: fsm.OpAppend, User: user, Key: []byte(own), Value: []byte(name), Limit: 1 << 20}).Wait()
		switch {
		case err == nil:
			got.numbers = append(got.numbers, results[0].N)
			got.names = append(got.names, name)
		case errors.Is(err, ErrTimeout):
			got.unknown++
			got.lost[name] = true
		case !errors.Is(err, ErrNoLeader):
			w.t.Errorf("client %d: %v", id, err)
		}
	}
	return got
}

func (w *world) judge(logs []told) {
	seen := map[int64]bool{}
	unknown := 0
	for i, got := range logs {
		for _, n := range got.numbers {
			if seen[n] {
				w.t.Errorf("the counter was %d for two callers", n)
			}
			seen[n] = true
		}
		unknown += got.unknown
		w.judgeText(i, got)
	}
	value, _ := strconv.Atoi(w.value("n"))
	if value < len(seen) || value > len(seen)+unknown {
		w.t.Errorf("the counter is %d after %d acknowledged and %d unknown writes", value, len(seen), unknown)
	}
}

// judgeText holds what a client appended against what it was told: all that was acknowledged, in
// order, and beside it only what is not known, each once.
func (w *world) judgeText(id int, got told) {
	present := strings.SplitAfter(w.value("text"+strconv.Itoa(id)), ",")
	var acknowledged []string
	for _, name := range present {
		switch {
		case name == "":
		case got.lost[name]:
			delete(got.lost, name)
		default:
			acknowledged = append(acknowledged, name)
		}
	}
	if strings.Join(acknowledged, "") != strings.Join(got.names, "") {
		w.t.Errorf("client %d was told %v, and there is %v", id, got.names, present)
	}
}

// Without a leader nothing is sent, so the answer can be that nothing was done; what was sent and
// has no result by its deadline is not known.
func TestEndsWithoutAResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		sent := w.sent
		w.lead("")
		if _, err := w.propose(incr("n")).Wait(); !errors.Is(err, ErrNoLeader) {
			t.Errorf("without a leader: %v", err)
		}
		w.lead("b/2")
		synctest.Wait()
		if w.sent != sent || w.value("n") != "" {
			t.Error("what was answered NO_LEADER was sent all the same")
		}

		w.setFate(func() fate { return vanishes })
		if _, err := w.propose(incr("n")).Wait(); !errors.Is(err, ErrTimeout) {
			t.Errorf("a batch that vanishes: %v", err)
		}
		w.setFate(func() fate { return arrives })
		w.do(incr("m")) // behind it, in order
		if got := w.value("n"); got != "1" {
			t.Errorf("the batch was given up: the counter is %q", got)
		}
	})
}

// What is known to be lost is sent again at once, not when it has been missed for long.
func TestABrokenWayIsNoPause(t *testing.T) {
	for name, trouble := range map[string]fate{"refused": refused, "lost": lost} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.stop()
				tries := 0
				w.setFate(func() fate {
					if tries++; tries == 1 {
						return trouble
					}
					return arrives
				})
				begun := time.Now()
				w.do(incr("n"))
				if took := time.Since(begun); took > stallTimeout/2 {
					t.Errorf("sent again after %v", took)
				}
			})
		})
	}
}

// A snapshot may take the place of entries with our batches: done, and nobody knows the results.
func TestRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.setFate(func() fate { return vanishes })
		first := w.propose(incr("n"))
		synctest.Wait()
		w.pipeline.Restored(incarnation-1, 99) // of the process before this one
		w.pipeline.Restored(incarnation, 2)
		if _, err := first.Wait(); !errors.Is(err, ErrTimeout) {
			t.Errorf("a batch of a snapshot: %v", err)
		}
		sent := w.sent
		time.Sleep(2 * stallTimeout)
		if w.sent != sent {
			t.Error("it was sent again")
		}
	})
}

// What comes while a batch is on its way goes into one batch.
func TestBatchesGrowByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.setFate(func() fate { return takesAWhile })
		before := w.entries
		first := w.propose(incr("n"))
		synctest.Wait()
		var others []*Proposal
		for range 100 {
			others = append(others, w.propose(incr("n")))
		}
		for _, p := range append(others, first) {
			if _, err := p.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.entries - before; got != 2 {
			t.Errorf("%d entries for one write and a hundred that came while it was on its way", got)
		}
	})
}

func TestIntakeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		large := make([]byte, maxIntakeBytes/8)
		ends := func() map[error]int {
			count := map[error]int{}
			var all []*Proposal
			for range 9 {
				all = append(all, w.pipeline.Propose(fsm.Group{Commands: large}, time.Millisecond))
			}
			for _, p := range all {
				_, err := p.Wait()
				count[err]++
			}
			return count
		}
		w.lead("")
		synctest.Wait()
		if got := ends(); got[ErrNoLeader] != 9 || w.pipeline.intake.bytes != 0 {
			t.Errorf("without a leader: %v", got)
		}
		w.lead("b/2")
		w.do(incr("n"))
		w.setFate(func() fate { return vanishes })
		for range maxWindow { // so that nothing leaves the intake
			w.propose(incr("n"))
			synctest.Wait()
			w.pipeline.mu.Lock()
			w.pipeline.windowBytes += maxWindowBytes / maxWindow
			w.pipeline.mu.Unlock()
		}
		if got := ends(); got[ErrBusy] == 0 || got[ErrBusy]+got[ErrNoLeader] != 9 {
			t.Errorf("with a leader: %v", got)
		}
		w.pipeline.Abandon()
	})
}

func TestCloseFinishesWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.setFate(func() fate { return takesAWhile })
		accepted := w.propose(incr("n"))
		w.pipeline.Close(t.Context())
		if _, err := accepted.Wait(); err != nil {
			t.Error("accepted before Close:", err)
		}
		if _, err := w.propose(incr("n")).Wait(); !errors.Is(err, ErrShutdown) {
			t.Error("proposed after Close:", err)
		}
	})
}

// Close waits no longer than those who wait for their writes, and then says what is true.
func TestCloseWithoutALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.setFate(func() fate { return vanishes })
		sent := w.propose(incr("n"))
		synctest.Wait()
		w.lead("")
		synctest.Wait()
		unsent := w.propose(incr("n"))
		begun := time.Now()
		w.pipeline.Close(t.Context())
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("Close took %v", took)
		}
		if _, err := sent.Wait(); !errors.Is(err, ErrTimeout) {
			t.Error("sent:", err)
		}
		if _, err := unsent.Wait(); !errors.Is(err, ErrShutdown) && !errors.Is(err, ErrNoLeader) {
			t.Error("not sent:", err)
		}
	})
}
