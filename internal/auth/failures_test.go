package auth

import (
	"fmt"
	"testing"
	"time"
)

func TestDelayGrowsIsCappedAndDecays(t *testing.T) {
	f, now := newFailures(), time.Unix(1000, 0)
	if d := f.delay("a", "alice", now); d != 0 {
		t.Fatalf("without a failure: %v", d)
	}
	for i, want := range []time.Duration{100, 200, 400, 800, 1500, 1500} {
		f.record("a", "alice", now)
		if d := f.delay("a", "alice", now); d != want*time.Millisecond {
			t.Errorf("after %d failures: %v, want %v ms", i+1, d, int(want))
		}
	}
	for range 10_000 {
		f.record("a", "alice", now)
	}
	if d := f.delay("a", "alice", now); d != maxDelay {
		t.Errorf("after thousands: %v, want %v", d, maxDelay)
	}
	last := maxDelay
	for now = now.Add(time.Minute); f.suspect("a", now); now = now.Add(time.Minute) {
		d := f.delay("a", "alice", now)
		if d > last {
			t.Fatalf("the delay grew from %v to %v with nothing but time", last, d)
		}
		last = d
	}
	if d := f.delay("a", "alice", now); d != 0 || last == maxDelay {
		t.Errorf("never forgotten: %v, before that %v", d, last)
	}
}

func TestDelayIsPerAddressAndPerUser(t *testing.T) {
	f, now := newFailures(), time.Unix(1000, 0)
	f.record("bad", "alice", now)
	for _, tc := range []struct {
		addr, user string
		want       time.Duration
		suspect    bool
	}{
		{"bad", "alice", firstDelay, true},
		{"bad", "bob", firstDelay, true},
		{"good", "alice", firstDelay, false},
		{"good", "bob", 0, false},
	} {
		if d := f.delay(tc.addr, tc.user, now); d != tc.want {
			t.Errorf("%s, %s: %v, want %v", tc.addr, tc.user, d, tc.want)
		}
		if s := f.suspect(tc.addr, now); s != tc.suspect {
			t.Errorf("%s: suspect %v", tc.addr, s)
		}
	}
}

func TestFailuresAreBounded(t *testing.T) {
	f, now := newFailures(), time.Unix(1000, 0)
	for i := range 5 * rememberedFailures {
		f.record(fmt.Sprint("addr", i), fmt.Sprint("user", i), now)
	}
	if a, u := f.byAddr.len(), f.byUser.len(); a > rememberedFailures || u > rememberedFailures {
		t.Errorf("%d addresses and %d users, more than %d", a, u, rememberedFailures)
	}
	if last := fmt.Sprint("addr", 5*rememberedFailures-1); !f.suspect(last, now) {
		t.Error("the latest failure is forgotten")
	}
}
