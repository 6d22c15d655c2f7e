package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestLeaderThatHangsUpIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		hash := mustHash(t, h, "secret")
		total, _ := countRuns(h, nil)
		giveBack := holdTurn(t, h)
		c := &logins{h: h}
		gone := errors.New("gone")
		for i, leaves := range []bool{true, true, false, true, false} { // two that lead, and one that follows
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			c.login(ctx, fmt.Sprint(i), "10.0.0.1:1", "app", hash, "secret")
			synctest.Wait()
			if leaves {
				time.AfterFunc(time.Duration(i+1)*time.Second, func() { cancel(gone) })
			}
		}
		time.Sleep(10 * time.Second)
		giveBack()
		for _, o := range c.end(t) {
			left := o.name != "2" && o.name != "4"
			if left && !errors.Is(o.err, gone) || !left && o.err != nil {
				t.Errorf("login %s: %v", o.name, o.err)
			}
		}
		if total.Load() != 1 {
			t.Errorf("%d runs, want 1", total.Load())
		}
	})
}

// A leader that is pushed out leaves the attempt to the next, and nobody waits for nobody.
func TestLeaderThatIsPushedOutIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1, Waiters: 1})
		hash := mustHash(t, h, "secret")
		countRuns(h, nil)
		giveBack := holdTurn(t, h)
		c := &logins{h: h}
		h.failed.record("10.0.0.1", "someone", time.Now()) // its address has the lesser claim
		for range 3 {
			c.login(t.Context(), "pushed", "10.0.0.1:1", "app", hash, "secret")
		}
		time.Sleep(10 * time.Second)
		c.login(t.Context(), "", "10.0.0.2:1", "other", hash, "secret")
		synctest.Wait()
		giveBack()
		for _, o := range c.end(t) {
			if (o.name == "pushed") != errors.Is(o.err, ErrBusy) {
				t.Errorf("%q: %v", o.name, o.err)
			}
		}
	})
}

// A login that panics in bcrypt does not leave the others waiting.
func TestLeaderThatPanicsIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		hash := mustHash(t, h, "secret")
		runs := 0
		h.compare = func(_, _ []byte) error {
			time.Sleep(time.Second)
			if runs++; runs == 1 {
				panic("broken")
			}
			return nil
		}
		c := &logins{h: h}
		c.wg.Go(func() {
			defer func() { _ = recover() }()
			_ = h.Verify(t.Context(), "10.0.0.1:1", "app", hash, []byte("secret"))
		})
		synctest.Wait()
		for range 5 {
			c.login(t.Context(), "", "10.0.0.1:1", "app", hash, "secret")
		}
		for _, o := range c.end(t) {
			if o.err != nil || o.took > 2*time.Second {
				t.Errorf("%v after %v", o.err, o.took)
			}
		}
	})
}

// A follower can leave, too, and the right password does not wait for those who have it as well.
func TestFollowersContextEndsItsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t, Options{Parallel: 1})
		hash := mustHash(t, h, "secret")
		countRuns(h, nil)
		giveBack := holdTurn(t, h)
		c := &logins{h: h}
		c.login(t.Context(), "leader", "10.0.0.1:1", "app", hash, "secret")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.login(ctx, "follower", "10.0.0.1:1", "app", hash, "secret")
		time.Sleep(time.Minute)
		giveBack()
		for _, o := range c.end(t) {
			if o.name == "follower" && (o.took != time.Second || !errors.Is(o.err, context.DeadlineExceeded)) {
				t.Errorf("the follower got %v after %v", o.err, o.took)
			}
		}
	})
}
