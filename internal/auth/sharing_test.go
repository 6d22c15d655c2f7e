package auth

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// outcome is how one login of a test ended.
type outcome struct {
	name string
	err  error
	took time.Duration
}

// logins are the logins of one test. A name is free; it says which one an outcome is of.
type logins struct {
	h    *Hasher
	wg   sync.WaitGroup
	mu   sync.Mutex
	ends []outcome
}

func (c *logins) login(ctx context.Context, name, addr, user string, hash []byte, password string) {
	start := time.Now()
	c.wg.Go(func() {
		err := c.h.Verify(ctx, addr, user, hash, []byte(password))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ends = append(c.ends, outcome{name: name, err: err, took: time.Since(start)})
	})
}

// end waits for all logins, and looks whether anything is left of them.
func (c *logins) end(t *testing.T) []outcome {
	t.Helper()
	c.wg.Wait()
	c.h.sharing.mu.Lock()
	defer c.h.sharing.mu.Unlock()
	if n := len(c.h.sharing.crowds); n != 0 {
		t.Errorf("%d crowds are left", n)
	}
	return c.ends
}

// holdTurn takes a turn, and gives it back when the func it returns is called.
func holdTurn(t *testing.T, h *Hasher) func() {
	t.Helper()
	if err := h.slots.acquire(t.Context(), request{addr: "holder"}); err != nil {
		t.Fatal(err)
	}
	return h.slots.release
}

func TestEqualLoginsShareOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		hash := mustHash(t, h, "secret")
		total, _ := countRuns(h, nil)
		c := &logins{h: h}
		for range 3 * defaultWaiters {
			c.login(t.Context(), "", "10.0.0.1:1", "app", hash, "secret")
		}
		for _, o := range c.end(t) {
			if o.err != nil || o.took != time.Second {
				t.Fatalf("one got %v after %v", o.err, o.took)
			}
		}
		if total.Load() != 1 {
			t.Errorf("%d runs, want 1", total.Load())
		}
	})
}

// Failures are not shared: who guesses the same password a thousand times pays a thousand times.
func TestEqualWrongLoginsCostARunEach(t *testing.T) {
	const many = 1000
	for what, hash := range map[string][]byte{"wrong password": []byte("$2a$04$" + string(bytes.Repeat([]byte("x"), 53))), "unknown user": nil} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newTestHasher(t, Options{Parallel: 1})
				var total atomic.Int64
				h.compare = func(_, _ []byte) error {
					total.Add(1)
					time.Sleep(time.Millisecond)
					return bcrypt.ErrMismatchedHashAndPassword
				}
				c := &logins{h: h}
				start := time.Now()
				for range many {
					c.login(t.Context(), "", "10.0.0.1:1", "app", hash, "wrong")
				}
				quick := 0
				for _, o := range c.end(t) {
					if !errors.Is(o.err, ErrMismatch) {
						t.Fatalf("one got %v", o.err)
					}
					if o.took < firstDelay {
						quick++
					}
				}
				if quick > 1 {
					t.Errorf("%d did not wait for the failure that they followed", quick)
				}
				now := time.Now()
				if took := now.Sub(start); total.Load() != many || took < many*time.Millisecond {
					t.Errorf("%d runs in %v", total.Load(), took)
				}
				for key, scores := range map[string]*recent[string, score]{"10.0.0.1": h.failed.byAddr, "app": h.failed.byUser} {
					if s, _ := scores.get(key); s.decayed(now) < many*.95 { // what time has taken of it is less
						t.Errorf("only %.0f failures of %s are recorded", s.decayed(now), key)
					}
				}
			})
		})
	}
}

// Whoever waits with the same login is let in at once, in the queue or in the delay for failures.
func TestSuccessEndsEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		hash := mustHash(t, h, "secret")
		total, _ := countRuns(h, nil)
		c := &logins{h: h}
		for range 9 {
			h.failed.record("10.0.0.3", "someone", time.Now())
		}
		c.login(t.Context(), "at work", "10.0.0.1:1", "app", hash, "secret")
		synctest.Wait()
		c.login(t.Context(), "in the queue", "10.0.0.2:1", "app", hash, "secret")
		c.login(t.Context(), "in the delay", "10.0.0.3:1", "app", hash, "secret")
		for _, o := range c.end(t) {
			if o.err != nil || o.took != time.Second {
				t.Errorf("%s: %v after %v", o.name, o.err, o.took)
			}
		}
		if free := h.slots.freeSlots(); total.Load() != 1 || free != 1 {
			t.Errorf("%d runs, %d slots are free; want 1 of each", total.Load(), free)
		}
	})
}

func TestWaiterLooksAtTheCacheAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		hash := mustHash(t, h, "secret")
		total, _ := countRuns(h, nil)
		giveBack := holdTurn(t, h)
		c := &logins{h: h}
		c.login(t.Context(), "", "10.0.0.1:1", "app", hash, "secret")
		synctest.Wait()
		h.logins.add(h.logins.tag("app", hash, []byte("secret")))
		giveBack()
		if ends := c.end(t); ends[0].err != nil || total.Load() != 0 {
			t.Errorf("%v after %d runs", ends[0].err, total.Load())
		}
	})
}

// The old password is right for the old hash only, however many wait with it.
func TestChangedHashDoesNotProfitFromTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 2})
		old, changed := mustHash(t, h, "secret"), mustHash(t, h, "another")
		total, _ := countRuns(h, nil)
		slow := h.compare
		h.compare = func(hash, password []byte) error {
			_ = slow(hash, password)
			return bcrypt.CompareHashAndPassword(hash, password)
		}
		c := &logins{h: h}
		for range 10 {
			c.login(t.Context(), "old", "10.0.0.1:1", "app", old, "secret")
			c.login(t.Context(), "changed", "10.0.0.1:1", "app", changed, "secret")
		}
		for _, o := range c.end(t) {
			if (o.name == "old") != (o.err == nil) {
				t.Errorf("%s: %v", o.name, o.err)
			}
		}
		if total.Load() != 11 {
			t.Errorf("%d runs, want 1 for the old hash and 10 for the changed one", total.Load())
		}
	})
}

// What a crowd gets in with is nothing to a guesser beside it: its run is its own, and so is its wait.
func TestGuesserBesideACrowd(t *testing.T) {
	guess := func(crowded int) (o outcome, runs int64) {
		synctest.Test(t, func(t *testing.T) {
			h := newTestHasher(t, Options{Parallel: 1})
			hash := mustHash(t, h, "secret")
			total, _ := countRuns(h, nil)
			slow := h.compare
			h.compare = func(hash, password []byte) error {
				_ = slow(hash, password)
				return bcrypt.CompareHashAndPassword(hash, password)
			}
			c := &logins{h: h}
			for range crowded {
				c.login(t.Context(), "", "10.0.0.1:1", "app", hash, "secret")
			}
			synctest.Wait()
			c.login(t.Context(), "guesser", "10.0.0.2:1", "app", hash, "guess")
			for _, end := range c.end(t) {
				if end.name == "guesser" {
					o = end
				}
			}
			runs = total.Load()
		})
		return o, runs
	}
	one, _ := guess(1)
	many, runs := guess(1000)
	if one != many || !errors.Is(one.err, ErrMismatch) || one.took != 2*time.Second || runs != 2 {
		t.Errorf("beside one login %+v, beside a thousand %+v after %d runs", one, many, runs)
	}
}
