package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// check holds the invariants in gate's comment.
func (g *gate) check(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	sum := 0
	for key, q := range g.queues {
		if q.key != key || q.waiting == 0 || len(q.lines) != q.turns.Len() {
			t.Fatalf("queue %v: key %v, %d waiters, %d lines, %d have turns", key, q.key, q.waiting, len(q.lines), q.turns.Len())
		}
		inLines := 0
		for user, l := range q.lines {
			if l.user != user || l.queue != q || l.waiters.Len() == 0 {
				t.Fatalf("line %q of %v: user %q, %d waiters", user, key, l.user, l.waiters.Len())
			}
			inLines += l.waiters.Len()
		}
		if inLines != q.waiting {
			t.Fatalf("queue %v: %d in lines, %d waiting", key, inLines, q.waiting)
		}
		sum += q.waiting
	}
	inLanes := g.lanes[promptLane].Len() + g.lanes[lateLane].Len()
	if sum != g.waiting || sum > g.limit || inLanes != len(g.queues) || g.free > 0 && sum > 0 {
		t.Fatalf("%d in queues, %d waiting of %d, %d queues, %d in lanes, %d free",
			sum, g.waiting, g.limit, len(g.queues), inLanes, g.free)
	}
}

func (g *gate) freeTurns() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.free
}

// lineUp queues waiters up one after the other, and then records in which order they get the only turn.
// A name is "addr" or "addr/user", with a "!" behind it for the late lane.
func lineUp(t *testing.T, limit int, names ...string) (order, refused []string) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, limit)
		if err := g.acquire(t.Context(), request{addr: "first"}); err != nil {
			t.Fatal(err)
		}
		turns := make(chan string, len(names))
		busy := make(chan string, len(names))
		for _, name := range names {
			go func() {
				who, late := strings.CutSuffix(name, "!")
				addr, user, _ := strings.Cut(who, "/")
				switch err := g.acquire(t.Context(), request{addr: addr, user: user, late: late}); {
				case err == nil:
					turns <- name
					g.release()
				case errors.Is(err, ErrBusy):
					busy <- name
				default:
					t.Error(err)
				}
			}()
			synctest.Wait()
			g.check(t)
		}
		g.release()
		synctest.Wait()
		g.check(t)
		close(turns)
		close(busy)
		for name := range turns {
			order = append(order, name)
		}
		for name := range busy {
			refused = append(refused, name)
		}
	})
	return order, refused
}

func TestGateOrder(t *testing.T) {
	for _, tc := range []struct {
		what    string
		limit   int
		names   string
		order   string
		refused string
	}{
		{"round robin over addresses", 99, "a a a a b c b", "a b c a b a a", ""},
		{"the late lane waits, and gets every fourth turn", 99, "x! x! a a a a a", "a a a x! a a x!", ""},
		{"one address in both lanes", 99, "a! a b", "a b a!", ""},
		{"a full queue pushes out the newest of the longest", 3, "a a a b c", "a b c", "a a"},
		{"nobody pays for an equal claim", 2, "a b c", "a b", "c"},
		{"one address only pushes itself back", 2, "a a a", "a a", "a"},
		{"late ones make room for prompt ones", 1, "x! a", "a", "x!"},
		{"but not the other way round", 2, "a b x!", "a b", "x!"},
		{"round robin over an address's users", 99, "a/x a/x a/x b a/y a/z", "a/x b a/y a/z a/x a/x", ""},
		{"an address has no more turns for more users", 99, "a/x a/y a/z b b b", "a/x b a/y b a/z b", ""},
		{"users in the late lane", 99, "a/x! a/x! a/y! a/x!", "a/x! a/y! a/x! a/x!", ""},
		{"a full queue of one address pushes out the newest for its longest user", 3, "a/x a/x a/x a/y", "a/x a/y a/x", "a/x"},
		{"one user only pushes itself back", 3, "a/x a/x a/y a/x", "a/x a/y a/x", "a/x"},
		{"nobody pays for another user's equal claim", 2, "a/x a/y a/z", "a/x a/y", "a/z"},
		{"another address pushes out the longest user", 4, "a/x a/y a/y a/y b", "a/x b a/y a/y", "a/y"},
		{"users do not help an address to more places", 4, "b a/x a/x b a/y", "b a/x b a/y", "a/x"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			order, refused := lineUp(t, tc.limit, strings.Fields(tc.names)...)
			if got := strings.Join(order, " "); got != tc.order {
				t.Errorf("served %s, want %s", got, tc.order)
			}
			if got := strings.Join(refused, " "); got != tc.refused {
				t.Errorf("refused %s, want %s", got, tc.refused)
			}
		})
	}
}

func TestGateFiveHundredGuessersOfOneAddress(t *testing.T) {
	names := slices.Repeat([]string{"guesser"}, 500)
	order, refused := lineUp(t, 100, append(names, "alice")...)
	if len(refused) != 401 || slices.Contains(refused, "alice") {
		t.Errorf("%d were refused, alice among them: %v", len(refused), slices.Contains(refused, "alice"))
	}
	if at := slices.Index(order, "alice"); at < 0 || at > 1 {
		t.Errorf("alice was served at position %d", at)
	}
}

// Guessers of one user, however many, do not hold up another user's login from their own address.
func TestGateFiveHundredGuessersOfOneUser(t *testing.T) {
	names := slices.Repeat([]string{"office/bob!"}, 500)
	order, refused := lineUp(t, 100, append(names, "office/alice!")...)
	if len(refused) != 401 || slices.Contains(refused, "office/alice!") {
		t.Errorf("%d were refused, alice among them: %v", len(refused), slices.Contains(refused, "office/alice!"))
	}
	if at := slices.Index(order, "office/alice!"); at < 0 || at > 1 {
		t.Errorf("alice was served at position %d", at)
	}
}

func TestGateLetsWaitersGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 10)
		if err := g.acquire(t.Context(), request{addr: "a"}); err != nil {
			t.Fatal(err)
		}
		cause := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan error, 1)
		go func() { result <- g.acquire(ctx, request{addr: "b"}) }()
		synctest.Wait()
		cancel(cause)
		if err := <-result; !errors.Is(err, cause) {
			t.Errorf("a cancelled waiter got %v", err)
		}
		if err := g.acquire(ctx, request{addr: "b"}); !errors.Is(err, cause) {
			t.Errorf("a cancelled newcomer got %v", err)
		}
		g.release()
		g.check(t)
		if free := g.freeTurns(); free != 1 {
			t.Errorf("%d turns are free, want 1", free)
		}
	})
}

// A waiter that is called and cancelled at the same moment must not take its turn with it.
func TestGateTurnSurvivesAbandonment(t *testing.T) {
	g := newGate(1, 10)
	if err := g.acquire(t.Context(), request{addr: "a"}); err != nil {
		t.Fatal(err)
	}
	w, err := g.join(queueKey{addr: "b"}, "")
	if w == nil {
		t.Fatal(err)
	}
	g.release()
	g.abandon(w)
	if free := g.freeTurns(); free != 1 {
		t.Errorf("%d turns are free, want 1", free)
	}
	g.check(t)
}

// Many callers come, go and give up at random; at no time are there more turns out than allowed, and
// in the end all are back.
func TestGateNeverGivesTooManyTurns(t *testing.T) {
	const parallel, callers, rounds = 3, 24, 400
	g := newGate(parallel, 8)
	slots := make(chan struct{}, parallel)
	done := make(chan struct{})
	for c := range callers {
		go func() {
			defer func() { done <- struct{}{} }()
			rng := rand.New(rand.NewPCG(uint64(c), 7))
			for range rounds {
				ctx, cancel := context.WithCancel(context.Background())
				if rng.IntN(4) == 0 {
					go cancel()
				}
				if g.acquire(ctx, request{addr: fmt.Sprint(rng.IntN(5)), user: fmt.Sprint(rng.IntN(3)), late: rng.IntN(2) == 0}) == nil {
					select {
					case slots <- struct{}{}:
						<-slots
					default:
						t.Error("more turns than allowed")
					}
					g.release()
				}
				cancel()
			}
		}()
	}
	for range callers {
		<-done
	}
	g.check(t)
	if free := g.freeTurns(); free != parallel {
		t.Errorf("%d of %d turns are free", free, parallel)
	}
}
