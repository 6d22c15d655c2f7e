package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func newTestHasher(t testing.TB, o Options) *Hasher {
	t.Helper()
	if o.Cost == 0 {
		o.Cost = MinCost
	}
	h, err := NewHasher(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustHash(t testing.TB, h *Hasher, password string) []byte {
	t.Helper()
	hash, err := h.Hash(t.Context(), "10.0.0.1:1", []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestVerify(t *testing.T) {
	long := strings.Repeat("x", MaxPasswordLen)
	for _, tc := range []struct {
		what, user, stored, password string
		want                         error
	}{
		{"right", "alice", "secret", "secret", nil},
		{"wrong", "alice", "secret", "Secret", ErrMismatch},
		{"blanks and bytes", "alice", " \xff\x80 ", " \xff\x80 ", nil},
		{"72 bytes", "alice", long, long, nil},
		{"the 72nd byte counts", "alice", long, long[:71] + "y", ErrMismatch},
		{"a 73rd is refused, not ignored", "alice", long, long + "x", ErrBadPassword},
		{"empty", "alice", "secret", "", ErrBadPassword},
		{"NUL is a byte", "alice", "a", "a\x00a", ErrMismatch},
		{"NUL is kept", "alice", "a\x00a", "a\x00a", nil},
		{"NUL at the end", "alice", long[:71] + "\x00", long[:71], ErrMismatch},
		{"unknown user", "alice", "", "secret", ErrMismatch},
		{"bad user", "al ice", "secret", "secret", ErrBadUsername},
	} {
		t.Run(tc.what, func(t *testing.T) {
			h := newTestHasher(t, Options{})
			var hash []byte
			if tc.stored != "" {
				hash = mustHash(t, h, tc.stored)
			}
			err := h.Verify(t.Context(), "10.0.0.1:1", tc.user, hash, []byte(tc.password))
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if err != nil && tc.password != "" && strings.Contains(err.Error(), tc.password) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestHashRefuses(t *testing.T) {
	h := newTestHasher(t, Options{})
	if _, err := h.Hash(t.Context(), "a", []byte(strings.Repeat("x", 73))); !errors.Is(err, ErrBadPassword) {
		t.Errorf("73 bytes: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "a", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCost(t *testing.T) {
	for _, bad := range []int{-1, MinCost - 1, MaxCost + 1} {
		if h, err := NewHasher(Options{Cost: bad}); !errors.Is(err, ErrBadCost) || h != nil {
			t.Errorf("NewHasher with cost %d: %v", bad, err)
		}
	}
	h := newTestHasher(t, Options{})
	old := mustHash(t, h, "secret")
	if err := h.SetCost(MinCost + 1); err != nil {
		t.Fatal(err)
	}
	if err := h.SetCost(99); !errors.Is(err, ErrBadCost) {
		t.Errorf("SetCost(99): %v", err)
	}
	for what, hash := range map[string][]byte{"hash": mustHash(t, h, "secret"), "dummy": h.cost.Load().dummy} {
		if cost, err := bcrypt.Cost(hash); err != nil || cost != MinCost+1 {
			t.Errorf("%s: cost %d, %v", what, cost, err)
		}
	}
	if err := h.Verify(t.Context(), "a", "alice", old, []byte("secret")); err != nil {
		t.Errorf("a hash of the old cost: %v", err)
	}
}

func TestDefaultsAreUsable(t *testing.T) {
	h, err := NewHasher(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c := h.cost.Load(); c.cost != DefaultCost || h.slots.free < 1 || h.slots.limit != defaultWaiters {
		t.Errorf("cost %d, %d at a time, %d waiters", c.cost, h.slots.free, h.slots.limit)
	}
}

// countRuns makes h's compares take a second of the bubble's time each, and counts them.
func countRuns(h *Hasher, result error) (total, most *atomic.Int64) {
	total, most = new(atomic.Int64), new(atomic.Int64)
	var running atomic.Int64
	h.compare = func(_, _ []byte) error {
		total.Add(1)
		now := running.Add(1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		time.Sleep(time.Second)
		running.Add(-1)
		return result
	}
	return total, most
}

func TestAtMostParallelRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 3})
		hash := mustHash(t, h, "secret")
		total, most := countRuns(h, nil)
		for i := range 30 {
			go func() {
				if err := h.Verify(t.Context(), "10.0.0.1:1", fmt.Sprint("user", i), hash, []byte("secret")); err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait()
		if got := h.Stats(); got.Running != 3 || got.Waiting != 27 || got.Wait.Count() != 4 {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := h.Stats(); got.Running != 0 || got.Waiting != 0 || got.Wait.Count() != 31 {
			t.Errorf("%+v in the end", got)
		}
		if total.Load() != 30 || most.Load() != 3 {
			t.Errorf("%d runs, %d at a time; want 30, 3 at a time", total.Load(), most.Load())
		}
		if free := h.slots.freeSlots(); free != 3 {
			t.Errorf("%d slots are free in the end, want 3", free)
		}
	})
}

func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1, Waiters: 2})
		hash := mustHash(t, h, "secret")
		countRuns(h, nil)
		results := make(chan error, 5)
		for i := range 5 {
			go func() {
				results <- h.Verify(t.Context(), "10.0.0.1:1", fmt.Sprint("user", i), hash, []byte("secret"))
			}()
		}
		time.Sleep(time.Minute)
		busy := 0
		for range 5 {
			if err := <-results; errors.Is(err, ErrBusy) {
				busy++
			} else if err != nil {
				t.Error(err)
			}
		}
		if busy != 2 {
			t.Errorf("%d were told to come back, want 2", busy)
		}
	})
}

// An unknown user and a wrong password take the same time (of the bubble), the same number of
// compares and give the same error, also after failures.
func TestUnknownUserLooksLikeWrongPassword(t *testing.T) {
	type seen struct {
		errs  string
		took  time.Duration
		runs  int64
		delay time.Duration
	}
	attempt := func(hash []byte) (s seen) {
		synctest.Test(t, func(t *testing.T) {
			h := newTestHasher(t, Options{})
			total, _ := countRuns(h, bcrypt.ErrMismatchedHashAndPassword)
			start := time.Now()
			for range 4 {
				s.errs += fmt.Sprintln(h.Verify(t.Context(), "10.0.0.1:1", "alice", hash, []byte("guess")))
			}
			s.took, s.runs, s.delay = time.Since(start), total.Load(), h.Delay("10.0.0.1:2", "alice")
		})
		return s
	}
	wrong, unknown := attempt(mustHash(t, newTestHasher(t, Options{}), "secret")), attempt(nil)
	if wrong != unknown {
		t.Errorf("wrong password: %+v\nunknown user: %+v", wrong, unknown)
	}
	if wrong.runs != 4 || wrong.took <= 4*time.Second || wrong.delay == 0 {
		t.Errorf("failures were not slowed: %+v", wrong)
	}
}

// The dummy must not match even when the compare says so, and be a real hash to bcrypt.
func TestDummyHash(t *testing.T) {
	h := newTestHasher(t, Options{})
	dummy := h.cost.Load().dummy
	if err := bcrypt.CompareHashAndPassword(dummy, []byte("x")); !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		t.Errorf("bcrypt says of the dummy: %v", err)
	}
	h.compare = func(_, _ []byte) error { return nil }
	if err := h.Verify(t.Context(), "a", "nobody", nil, []byte("x")); !errors.Is(err, ErrMismatch) {
		t.Errorf("an unknown user got in: %v", err)
	}
	if bytes.Equal(dummy, newTestHasher(t, Options{}).cost.Load().dummy) {
		t.Error("the dummy is the same in each process")
	}
}

// However often others (or the owner) were wrong, the right password gets in, within the cap.
func TestCorrectPasswordAlwaysGetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{})
		hash := mustHash(t, h, "secret")
		for range 1000 {
			h.failed.record("10.0.0.1", "alice", time.Now())
		}
		start := time.Now()
		if err := h.Verify(t.Context(), "10.0.0.1:9", "alice", hash, []byte("secret")); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != maxDelay {
			t.Errorf("it took %v, want %v", took, maxDelay)
		}
	})
}

func TestCancelEndsTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{})
		total, _ := countRuns(h, nil)
		for range 10 {
			h.failed.record("a", "alice", time.Now())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := h.Verify(ctx, "a", "alice", nil, []byte("x"))
		if !errors.Is(err, context.DeadlineExceeded) || total.Load() != 0 {
			t.Errorf("%v after %d runs", err, total.Load())
		}
	})
}

func FuzzStoredHash(f *testing.F) {
	h := newTestHasher(f, Options{})
	good := []byte("$2a$04$RzCW360YvVEY.vNb4tpcO./p0VByObR3IfBAyMsXziCrAANhq.HkS") // of "secret"
	if err := h.Verify(f.Context(), "a", "alice", good, []byte("secret")); err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(good), string(good[:59]), string(good) + "x", "$2a$04$", "$2a$31$" + string(good[7:]),
		"$2a$16$" + string(good[7:]), "$3a$04$" + string(good[7:]), "$2a$0x$" + string(good[7:]),
		"$2a$04$" + strings.Repeat("\xff", 53), "$2$04$" + string(good[7:]), "x", strings.Repeat("$", 60)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, hash []byte) {
		if cost, err := bcrypt.Cost(hash); err == nil && cost > 5 && cost <= MaxCost {
			t.Skip("slow, nothing new")
		}
		h.failed = newFailures() // no delays
		err := h.Verify(t.Context(), "a", "alice", hash, []byte("secret"))
		switch {
		case err == nil && !bytes.Contains(hash, good[7:]):
			t.Errorf("%q matched", hash)
		case err != nil && !errors.Is(err, ErrMismatch) && !errors.Is(err, ErrBadHash):
			t.Errorf("%q: %v", hash, err)
		}
	})
}

// A login waits for a slot of those who guess another user's password from the same address, and for the
// delay of that address; not for all of them.
func TestGuessersOfAnotherUserDoNotHoldUpALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		hash := mustHash(t, h, "secret")
		countRuns(h, bcrypt.ErrMismatchedHashAndPassword) // a second each
		guess := func(user string) { _ = h.Verify(t.Context(), "10.0.0.1:1", user, hash, []byte("guess")) }
		guess("bob") // the address is known for failures: all are in one class
		for range 300 {
			go guess("bob")
		}
		time.Sleep(10 * time.Second)
		start := time.Now()
		guess("alice")
		if took, most := time.Since(start), maxDelay+3*time.Second; took > most {
			t.Errorf("it took %v, more than %v", took, most)
		}
		time.Sleep(time.Hour) // the guessers end
	})
}
