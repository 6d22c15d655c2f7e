package pipeline

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ciderd/internal/fsm"
)

func TestLingering(t *testing.T) {
	const us = delayStep / 200 // the waits below are written for steps of 200
	type look struct {
		at    time.Duration
		count int
		want  time.Duration
	}
	for name, looks := range map[string][]look{
		"nobody comes": {{0, 3, 200 * us}, {150 * us, 3, 50 * us}, {200 * us, 3, 0}},
		"some come":    {{0, 3, 200 * us}, {200 * us, 5, 200 * us}, {300 * us, 9, 100 * us}, {400 * us, 9, 200 * us}, {600 * us, 9, 0}},
		"there is an end": {
			{0, 1, 200 * us}, {200 * us, 2, 200 * us}, {400 * us, 3, 200 * us}, {600 * us, 4, 200 * us},
			{850 * us, 5, 150 * us}, {1000 * us, 6, 0},
		},
	} {
		var l delay
		begin := time.Unix(1000, 0)
		for _, k := range looks {
			if got := l.left(begin.Add(k.at), k.count); got != k.want {
				t.Errorf("%s: after %v with %d: %v, want %v", name, k.at, k.count, got, k.want)
			}
		}
	}
}

// A batch waits for those who are likely to send another command, and for nobody else.
func TestExpected(t *testing.T) {
	p := New(Config{Origin: self})
	s := sender{Pipeline: p}
	propose := func(n int) {
		for range n {
			p.Propose(fsm.Group{Commands: []byte("x"), Count: 1}, time.Hour)
		}
	}
	now := time.Unix(1000, 0)
	form := func(waits bool) {
		t.Helper()
		if got := s.holdBack(now) > 0; got != waits {
			t.Errorf("with %d waiting and %d expected it waits: %v", p.intake.commands, p.expected, got)
		}
		s.form()
	}
	done := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pop()
	}
	propose(1)
	form(false) // a single client, ever again
	done()
	propose(1)
	form(false)
	propose(9) // while the one is on its way
	done()
	form(true) // the one is expected back
	done()
	propose(8)
	form(true) // of nine
	done()
	propose(8)
	form(false)
}

// Whoever gives up while a batch waits for more does not keep the next one waiting.
func TestWithdrawnWhileLingering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.pipeline.mu.Lock()
		w.pipeline.expected = 10
		w.pipeline.mu.Unlock()
		hasty := w.pipeline.Propose(fsm.NewGroup(incr("n")), delayStep/2)
		if _, err := hasty.Wait(); !errors.Is(err, ErrNoLeader) {
			t.Fatal("it had been sent:", err)
		}
		time.Sleep(maxDelay) // the sender has found nothing, and sleeps
		begun := time.Now()
		w.do(incr("n"))
		if took := time.Since(begun); took > maxDelay {
			t.Errorf("the next one waited %v", took)
		}
	})
}
