package pipeline

import "time"

const (
	// A batch that would be alone in the window waits for as many commands as were unresolved when the last one was
	// done: most clients send their next one as soon as they are answered, and a commit round costs the same for
	// all of them as for a third. It waits while more commands arrive in every delayStep, for up to maxDelay in
	// total. A single client has nothing else unresolved, so it never waits.
	delayStep = 300 * time.Microsecond
	maxDelay  = 5 * delayStep
)

// delay is a wait for more commands that continues while they arrive.
type delay struct {
	end   time.Time // whether or not more arrive; zero: not begun
	until time.Time // unless more have arrived by then
	seen  int       // how many there were when until was set
}

func (l *delay) begun() bool { return !l.end.IsZero() }

// left returns how long to wait further, now that there are count commands; 0: no longer.
func (l *delay) left(now time.Time, count int) time.Duration {
	switch {
	case !l.begun():
		*l = delay{end: now.Add(maxDelay), until: now.Add(delayStep), seen: count}
	case !now.Before(l.until) && count > l.seen:
		l.until, l.seen = now.Add(delayStep), count
	}
	until := l.until
	if l.end.Before(until) {
		until = l.end
	}
	return max(0, until.Sub(now))
}
