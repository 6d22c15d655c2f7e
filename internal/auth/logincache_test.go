package auth

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestLoginCache(t *testing.T) {
	h := newTestHasher(t, Options{})
	hash, other := mustHash(t, h, "secret"), mustHash(t, h, "secret")
	var runs int
	h.compare = func(hash, password []byte) error {
		runs++
		return bcrypt.CompareHashAndPassword(hash, password)
	}
	for _, step := range []struct {
		what, user string
		hash       []byte
		password   string
		ok         bool
		runs       int
	}{
		{"first", "alice", hash, "secret", true, 1},
		{"again", "alice", hash, "secret", true, 1},
		{"another user with the same hash", "bob", hash, "secret", true, 2},
		{"password changed", "alice", other, "secret", true, 3},
		{"wrong", "alice", hash, "wrong", false, 4},
		{"failures are not cached", "alice", hash, "wrong", false, 5},
		{"unknown user", "alice", nil, "secret", false, 6},
		{"unknown users are not cached", "alice", nil, "secret", false, 7},
		{"hit after all that", "alice", hash, "secret", true, 7},
	} {
		synctest.Test(t, func(t *testing.T) { // so that delays cost nothing
			err := h.Verify(t.Context(), "10.0.0.1:1", step.user, step.hash, []byte(step.password))
			if (err == nil) != step.ok || runs != step.runs {
				t.Errorf("%s: %v after %d runs, want ok %v after %d", step.what, err, runs, step.ok, step.runs)
			}
		})
	}
}

func TestLoginCacheSeparatesItsParts(t *testing.T) {
	c := newLoginCache()
	if c.tag("ab", []byte("c"), []byte("d")) == c.tag("a", []byte("bc"), []byte("d")) ||
		c.tag("a", []byte("bc"), []byte("d")) == c.tag("a", []byte("b"), []byte("cd")) {
		t.Error("two triples have one tag")
	}
	if c.tag("a", nil, nil) == newLoginCache().tag("a", nil, nil) {
		t.Error("two processes have one key")
	}
	for i := range 3 * cachedLogins {
		c.add(c.tag(fmt.Sprint(i), nil, nil))
	}
	if c.known.len() > cachedLogins {
		t.Errorf("%d entries, more than %d", c.known.len(), cachedLogins)
	}
}

// A hit needs no slot: it is served while every slot is taken.
func TestCachedLoginWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		hash := mustHash(t, h, "secret")
		if err := h.Verify(t.Context(), "a", "alice", hash, []byte("secret")); err != nil {
			t.Fatal(err)
		}
		h.failed.record("a", "alice", time.Now())
		if err := h.slots.acquire(t.Context(), request{addr: "b"}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := h.Verify(t.Context(), "a", "alice", hash, []byte("secret")); err != nil || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		h.slots.release()
	})
}

// Remember is for one password and one hash; whoever waits with them is let in.
func TestRemember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		hash, other := mustHash(t, h, "secret"), mustHash(t, h, "secret")
		total, _ := countRuns(h, bcrypt.ErrMismatchedHashAndPassword)
		giveBack := holdTurn(t, h)
		c := &logins{h: h}
		c.login(t.Context(), "early", "10.0.0.1:1", "alice", hash, "secret")
		synctest.Wait()
		h.Remember("10.0.0.9:1", "alice", hash, []byte("secret"))
		h.Remember("10.0.0.9:1", "nobody", nil, []byte("secret"))
		c.login(t.Context(), "late", "10.0.0.2:1", "alice", hash, "secret")
		for _, o := range c.end(t) {
			if o.err != nil || o.took != 0 {
				t.Errorf("%s: %v after %v", o.name, o.err, o.took)
			}
		}
		giveBack()
		for _, l := range []struct {
			user     string
			hash     []byte
			password string
		}{{"alice", hash, "Secret"}, {"alice", other, "secret"}, {"bob", hash, "secret"}, {"nobody", nil, "secret"}} {
			if err := h.Verify(t.Context(), "10.0.0.3:1", l.user, l.hash, []byte(l.password)); !errors.Is(err, ErrMismatch) {
				t.Errorf("%s got %v", l.user, err)
			}
		}
		if total.Load() != 4 {
			t.Errorf("%d runs, want 4", total.Load())
		}
	})
}

func BenchmarkCachedLogin(b *testing.B) {
	h := newTestHasher(b, Options{})
	hash := mustHash(b, h, "secret")
	for b.Loop() {
		if err := h.Verify(b.Context(), "10.0.0.1:1", "alice", hash, []byte("secret")); err != nil {
			b.Fatal(err)
		}
	}
}
