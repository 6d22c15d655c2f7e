package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// startFlood has many addresses guess, once each, and returns when all of them wait for the only turn.
// A compare takes a second and so does a hash.
func startFlood(t *testing.T, h *Hasher, many int, addr func(i int) string) (stop func()) {
	t.Helper()
	countRuns(h, bcrypt.ErrMismatchedHashAndPassword)
	h.generate = func(_ []byte, _ int) ([]byte, error) {
		time.Sleep(time.Second)
		return []byte("a hash"), nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() { _ = h.Verify(ctx, addr(i), "victim", nil, fmt.Append(nil, "guess", i)) })
	}
	synctest.Wait()
	return func() {
		cancel()
		wg.Wait()
	}
}

func TestNewcomerBesideGuessersOfManyAddresses(t *testing.T) {
	const guessers, nets = 1300, 6
	v4 := func(i int) string { return fmt.Sprintf("10.9.%d.%d:1", i%nets, i/nets) }
	v6 := func(i int) string { return fmt.Sprintf("[2001:db8:%x:%x::1]:1", i%nets, i/nets) }
	for _, tc := range []struct {
		what, newcomer string
		guesser        func(i int) string
		most           time.Duration // a slot of each group, the one that is out, and its own
	}{
		{"six /24", "192.0.2.1:1", v4, (nets + 2) * time.Second},
		{"six /48", "[2001:db8:ffff::1]:1", v6, (nets + 2) * time.Second},
		{"from another /56 of one of the six /48", "[2001:db8:3:ff00::1]:1", v6, 3 * (nets + 2) * time.Second},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newTestHasher(t, Options{Parallel: 1})
				stop := startFlood(t, h, guessers, tc.guesser)
				defer stop()
				start := time.Now()
				_, err := h.Hash(t.Context(), tc.newcomer, []byte("secret"))
				if took := time.Since(start); err != nil || took > tc.most {
					t.Errorf("%v after %v, want no error within %v", err, took, tc.most)
				}
			})
		})
	}
}

// Who has logged in before is served while others who have not done anything wrong yet crowd the node,
// each from a network of its own. It has another hash by now: nothing is cached of it.
func TestKnownIsServedInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		hash, changed := mustHash(t, h, "secret"), mustHash(t, h, "another")
		if err := h.Verify(t.Context(), "192.0.2.1:1", "alice", hash, []byte("secret")); err != nil {
			t.Fatal(err)
		}
		stop := startFlood(t, h, 2000, func(i int) string { return fmt.Sprintf("10.%d.%d.1:1", i>>8, i&0xff) })
		defer stop()
		start := time.Now()
		err := h.Verify(t.Context(), "192.0.2.1:2", "alice", changed, []byte("a typing error"))
		if took := time.Since(start); !errors.Is(err, ErrMismatch) || took > 3*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		// That was a failure: the address is as good as any other that had one.
		if c := h.class("192.0.2.1", "alice"); c != lateClass {
			t.Errorf("after a failure it is in class %d", c)
		}
	})
}

// While known ones crowd the node, others get their slots, too.
func TestNewcomerIsServedAmongKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		addr := func(i int) string { return fmt.Sprintf("10.%d.%d.1:1", i>>8, i&0xff) }
		for i := range 900 {
			h.Remember(addr(i), "victim", []byte("a hash"), []byte("secret"))
		}
		stop := startFlood(t, h, 900, addr)
		defer stop()
		h.failed.record("192.0.2.2", "someone", time.Now())
		for _, newcomer := range []string{"192.0.2.1:1", "192.0.2.2:1"} {
			start := time.Now()
			_, err := h.Hash(t.Context(), newcomer, []byte("secret"))
			if took := time.Since(start); err != nil || took > 6*time.Second {
				t.Errorf("%s: %v after %v", newcomer, err, took)
			}
		}
	})
}

func TestClasses(t *testing.T) {
	h := newTestHasher(t, Options{})
	hash := mustHash(t, h, "secret")
	if err := h.Verify(t.Context(), "10.0.0.1:1", "alice", hash, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	h.Remember("10.0.0.1:1", "bob", hash, []byte("secret"))
	h.Remember("10.0.0.3:1", "alice", hash, []byte("secret"))
	h.failed.record("10.0.0.3", "alice", time.Now())
	for _, tc := range []struct {
		addr, user string
		want       int
	}{
		{"10.0.0.1", "alice", knownClass},
		{"10.0.0.1", "bob", knownClass},
		{"10.0.0.1", "carol", promptClass},
		{"10.0.0.1", "", promptClass},
		{"10.0.0.2", "alice", promptClass},
		{"10.0.0.3", "alice", lateClass},
		{"10.0.0.3", "carol", lateClass},
	} {
		if got := h.class(tc.addr, tc.user); got != tc.want {
			t.Errorf("%s at %s: class %d, want %d", tc.user, tc.addr, got, tc.want)
		}
	}
	for i := range 3 * rememberedPairs {
		h.Remember(fmt.Sprint(i), "alice", hash, []byte("secret"))
	}
	if n := h.regulars.known.len(); n > rememberedPairs {
		t.Errorf("%d pairs are remembered, more than %d", n, rememberedPairs)
	}
}
