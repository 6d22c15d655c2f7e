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

// check holds the invariants in semaphore's comment.
func (g *semaphore) check(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	sum := 0
	for i := range g.classes {
		c := &g.classes[i]
		addresses := c.all.check(t, len(path{}))
		if addresses != c.addresses.Len() {
			t.Fatalf("class %d has %d addresses, %d in its round", i, addresses, c.addresses.Len())
		}
		sum += c.all.waiting
	}
	if sum != g.waiting || sum > g.limit || g.free > 0 && sum > 0 {
		t.Fatalf("%d in classes, %d waiting of %d, %d free", sum, g.waiting, g.limit, g.free)
	}
}

// check holds them for a queue with that many levels below it, and counts the addresses in it.
func (q *fairQueue) check(t *testing.T, levels int) (addresses int) {
	t.Helper()
	if (q.inRound != nil) != (levels == len(path{})-toAddress) {
		t.Fatalf("%q is in a round of addresses: %v, with %d levels below it", q.name, q.inRound != nil, levels)
	}
	if q.inRound != nil {
		addresses = 1
	}
	if levels == 0 {
		if q.line.Len() != q.waiting || q.rotation.Len() != 0 {
			t.Fatalf("line %q: %d waiters, %d counted, %d parts", q.name, q.line.Len(), q.waiting, q.rotation.Len())
		}
		return 0
	}
	sum := 0
	for name, p := range q.parts {
		if p.name != name || p.in != q || p.waiting == 0 || p.inRotation.Value != p {
			t.Fatalf("%q in %q: it is called %q, %d waiters", name, q.name, p.name, p.waiting)
		}
		addresses += p.check(t, levels-1)
		sum += p.waiting
	}
	if sum != q.waiting || len(q.parts) != q.rotation.Len() || q.line.Len() != 0 {
		t.Fatalf("%q: %d waiters, %d counted, %d parts, %d of them have slots", q.name, sum, q.waiting, len(q.parts), q.rotation.Len())
	}
	return addresses
}

func (g *semaphore) freeSlots() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.free
}

// lineUp queues waiters up one after the other, and then records in which order they get the only slot.
// A name is "addr" or "addr/user", with a "!" behind it for the late class, or a "+" for the known one.
func lineUp(t *testing.T, limit int, names ...string) (order, refused []string) {
	synctest.Test(t, func(t *testing.T) {
		g := newSemaphore(1, limit)
		if err := g.acquire(t.Context(), request{class: promptClass, addr: "first"}); err != nil {
			t.Fatal(err)
		}
		slots := make(chan string, len(names))
		busy := make(chan string, len(names))
		for _, name := range names {
			go func() {
				switch err := g.acquire(t.Context(), named(name)); {
				case err == nil:
					slots <- name
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
		close(slots)
		close(busy)
		for name := range slots {
			order = append(order, name)
		}
		for name := range busy {
			refused = append(refused, name)
		}
	})
	return order, refused
}

// named is the request that a name in lineUp stands for.
func named(name string) request {
	r := request{class: promptClass}
	switch name[len(name)-1] {
	case '!':
		r.class = lateClass
	case '+':
		r.class = knownClass
	}
	r.addr, r.user, _ = strings.Cut(strings.TrimRight(name, "!+"), "/")
	return r
}

func TestSemaphoreOrder(t *testing.T) {
	for _, tc := range []struct {
		what    string
		limit   int
		names   string
		order   string
		refused string
	}{
		{"round robin over addresses", 99, "a a a a b c b", "a b c a b a a", ""},
		{"the late class waits, and gets every fourth slot", 99, "x! x! a a a a a", "a a a x! a a x!", ""},
		{"one address in two classes", 99, "a! a b", "a b a!", ""},
		{"a full queue pushes out the newest of the longest", 3, "a a a b c", "a b c", "a a"},
		{"nobody pays for an equal claim", 2, "a b c", "a b", "c"},
		{"one address only pushes itself back", 2, "a a a", "a a", "a"},
		{"late ones make room for prompt ones", 1, "x! a", "a", "x!"},
		{"but not the other way round", 2, "a b x!", "a b", "x!"},
		{"round robin over an address's users", 99, "a/x a/x a/x b a/y a/z", "a/x b a/y a/z a/x a/x", ""},
		{"an address has no more slots for more users", 99, "a/x a/y a/z b b b", "a/x b a/y b a/z b", ""},
		{"users in the late class", 99, "a/x! a/x! a/y! a/x!", "a/x! a/y! a/x! a/x!", ""},
		{"a full queue of one address pushes out the newest for its longest user", 3, "a/x a/x a/x a/y", "a/x a/y a/x", "a/x"},
		{"one user only pushes itself back", 3, "a/x a/x a/y a/x", "a/x a/y a/x", "a/x"},
		{"nobody pays for another user's equal claim", 2, "a/x a/y a/z", "a/x a/y", "a/z"},
		{"another address pushes out the longest user", 4, "a/x a/y a/y a/y b", "a/x b a/y a/y", "a/y"},
		{"known and prompt ones take slots", 99, "a a a k+ k+ k+", "k+ a k+ a k+ a", ""},
		{"and the late class gets every fourth of all", 99, "x! x! x! a a a a k+ k+ k+ k+", "k+ a k+ x! a k+ a x! k+ a x!", ""},
		{"late ones do not wait for known ones alone", 99, "x! x! k+ k+ k+ k+ k+", "k+ k+ k+ x! k+ k+ x!", ""},
		{"prompt ones make room for known ones", 1, "a k+", "k+", "a"},
		{"late ones before prompt ones", 2, "a x! k+", "k+ a", "x!"},
		{"but not for a longer queue", 2, "a k+ k+", "k+ a", "k+"},
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

func TestSemaphoreFiveHundredGuessersOfOneAddress(t *testing.T) {
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
func TestSemaphoreFiveHundredGuessersOfOneUser(t *testing.T) {
	names := slices.Repeat([]string{"office/bob!"}, 500)
	order, refused := lineUp(t, 100, append(names, "office/alice!")...)
	if len(refused) != 401 || slices.Contains(refused, "office/alice!") {
		t.Errorf("%d were refused, alice among them: %v", len(refused), slices.Contains(refused, "office/alice!"))
	}
	if at := slices.Index(order, "office/alice!"); at < 0 || at > 1 {
		t.Errorf("alice was served at position %d", at)
	}
}

func TestSemaphoreLetsWaitersGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newSemaphore(1, 10)
		if err := g.acquire(t.Context(), request{class: promptClass, addr: "a"}); err != nil {
			t.Fatal(err)
		}
		cause := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan error, 1)
		go func() { result <- g.acquire(ctx, request{class: promptClass, addr: "b"}) }()
		synctest.Wait()
		cancel(cause)
		if err := <-result; !errors.Is(err, cause) {
			t.Errorf("a cancelled waiter got %v", err)
		}
		if err := g.acquire(ctx, request{class: promptClass, addr: "b"}); !errors.Is(err, cause) {
			t.Errorf("a cancelled newcomer got %v", err)
		}
		g.release()
		g.check(t)
		if free := g.freeSlots(); free != 1 {
			t.Errorf("%d slots are free, want 1", free)
		}
	})
}

// A waiter that is called and cancelled at the same moment must not take its slot with it.
func TestSemaphoreTurnSurvivesAbandonment(t *testing.T) {
	g := newSemaphore(1, 10)
	if err := g.acquire(t.Context(), request{class: promptClass, addr: "a"}); err != nil {
		t.Fatal(err)
	}
	w, err := g.join(request{class: promptClass, addr: "b"})
	if w == nil {
		t.Fatal(err)
	}
	g.release()
	g.abandon(w)
	if free := g.freeSlots(); free != 1 {
		t.Errorf("%d slots are free, want 1", free)
	}
	g.check(t)
}

// Many callers come, go and give up at random, in all classes, from few addresses and from many; at no
// time are there more slots out than allowed, and in the end all are back.
func TestSemaphoreNeverGivesTooManyTurns(t *testing.T) {
	const parallel, callers, rounds = 3, 60, 200
	g := newSemaphore(parallel, 40)
	slots := make(chan struct{}, parallel)
	done := make(chan struct{})
	for c := range callers {
		go func() {
			defer func() { done <- struct{}{} }()
			rng := rand.New(rand.NewPCG(uint64(c), 7))
			for round := range rounds {
				ctx, cancel := context.WithCancel(context.Background())
				over := make(chan struct{})
				switch rng.IntN(6) {
				case 0:
					go cancel()
				case 1:
					go close(over)
				}
				r := someRequest(rng, round%40)
				r.over = over
				if g.acquire(ctx, r) == nil {
					select {
					case slots <- struct{}{}:
						<-slots
					default:
						t.Error("more slots than allowed")
					}
					g.release()
				}
				cancel()
				if round%20 == 0 {
					g.check(t)
				}
			}
		}()
	}
	for range callers {
		<-done
	}
	g.check(t)
	if free := g.freeSlots(); free != parallel {
		t.Errorf("%d of %d slots are free", free, parallel)
	}
}

// someRequest is one of a few classes, users, networks and, up to many, addresses in them.
func someRequest(rng *rand.Rand, many int) request {
	r := request{class: rng.IntN(classCount), user: fmt.Sprint(rng.IntN(3))}
	switch i := rng.IntN(many + 1); rng.IntN(3) {
	case 0:
		r.addr = fmt.Sprintf("10.0.%d.%d", i%3, i)
	case 1:
		r.addr = fmt.Sprintf("2001:db8:%x:%x::/64", i%2, i%4<<8|i)
	default:
		r.addr = fmt.Sprint("socket", i%5)
	}
	return r
}
