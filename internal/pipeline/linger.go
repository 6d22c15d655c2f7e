package pipeline

import "time"

const (
	// A batch that would be alone in the window waits for as many commands as were unresolved when
	// the last one was done: most clients send their next one as soon as they are answered, and a
	// commit round costs the same for all of them as for a third. It waits while more keep coming in
	// every linger, for maxLinger in all. A single client has nothing else unresolved, so it never
	// waits.
	linger    = 300 * time.Microsecond
	maxLinger = 5 * linger
)

// lingering is a wait for more commands that goes on while they come.
type lingering struct {
	end   time.Time // however many come; zero: not begun
	until time.Time // unless more have come by then
	seen  int       // how many there were when until was set
}

func (l *lingering) begun() bool { return !l.end.IsZero() }

// left tells how long it is worth to wait, now that there are count commands; 0: no longer.
func (l *lingering) left(now time.Time, count int) time.Duration {
	switch {
	case !l.begun():
		*l = lingering{end: now.Add(maxLinger), until: now.Add(linger), seen: count}
	case !now.Before(l.until) && count > l.seen:
		l.until, l.seen = now.Add(linger), count
	}
	until := l.until
	if l.end.Before(until) {
		until = l.end
	}
	return max(0, until.Sub(now))
}
