package session

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// queue has users wait for a place that is in use, in their order, and returns in which order they get it.
func queue(t *testing.T, p *turns, users ...*used) (order []*used) {
	t.Helper()
	got := make(chan *used, len(users))
	for _, u := range users {
		go func() {
			if err := p.take(t.Context(), u); err != nil {
				t.Error(err)
			}
			since := time.Now()
			got <- u
			p.leave(u, since)
		}()
		synctest.Wait()
	}
	p.leave(&used{}, time.Now())
	for range users {
		order = append(order, <-got)
	}
	return order
}

func TestAPlaceGoesToWhoHasUsedLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &turns{free: 1}
		var much, little, none, late used
		for u, seconds := range map[*used]time.Duration{&much: 9, &little: 3} {
			p.take(t.Context(), u)
			since := time.Now()
			time.Sleep(seconds * time.Second)
			p.leave(u, since)
		}
		p.take(t.Context(), &used{})
		order := queue(t, p, &much, &little, &none, &late)
		for i, want := range []*used{&none, &late, &little, &much} {
			if order[i] != want {
				t.Errorf("place %d went to another one", i)
			}
		}

		// What is long ago does not count.
		time.Sleep(time.Hour)
		p.take(t.Context(), &used{})
		if order := queue(t, p, &none, &little); order[0] != &none {
			t.Error("who came first has to wait")
		}
		if much.now(time.Now()) > 1e-6 {
			t.Errorf("%v seconds still count", much.now(time.Now()))
		}
	})
}

// Whoever gives up waiting gets no place, and a place that it was given at that moment is not lost.
func TestWhoGivesUpWaitingLosesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &turns{free: 1}
		p.take(t.Context(), &used{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.take(ctx, &used{}); err != context.DeadlineExceeded {
			t.Errorf("it is %v", err)
		}
		p.leave(&used{}, time.Now())
		if p.free != 1 || len(p.waiting) != 0 {
			t.Errorf("%d free, %d wait", p.free, len(p.waiting))
		}
		if err := p.take(ctx, &used{}); err != nil {
			t.Errorf("a free place is refused: %v", err)
		}
	})
}
