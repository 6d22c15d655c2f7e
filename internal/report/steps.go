package report

import "time"

const (
	// stepLong is how much of the past one step of a chart is, and stepLeast the least that tells something.
	stepLong  = 10 * time.Second
	stepLeast = 2 * time.Second
)

// Step is a part of the past of one node, for charts: ten seconds, and less at the ends of what is kept.
type Step struct {
	At                int64   // Unix milliseconds: its end
	Seconds           float64 // how long it is
	Operations        float64 // per second
	Hits, Misses      uint64
	Evicted           uint64
	Memory, Limit     int64 // bytes, at its end; Limit 0: none
	ReadP99, WriteP99 int64 // nanoseconds; 0: there were none
}

// Steps returns what is kept, the oldest first. Steps end where the wall clock's tens of seconds do, so that one that is
// over is the same each time it is asked for.
func (h *History) Steps() []Step {
	h.mu.Lock()
	defer h.mu.Unlock()
	steps, first := []Step{}, 0
	for i := 1; i < len(h.points); i++ {
		a, b := &h.points[first], &h.points[i]
		over := !a.at.Truncate(stepLong).Equal(b.at.Truncate(stepLong))
		if over || i == len(h.points)-1 && b.at.Sub(a.at) >= stepLeast {
			steps, first = append(steps, step(a, b)), i
		}
	}
	return steps
}

func step(a, b *point) Step {
	r := between(*a, *b)
	return Step{
		At: b.at.UnixMilli(), Seconds: r.Seconds, Operations: r.Operations, Hits: r.Hits, Misses: r.Misses, Evicted: r.Evicted,
		Memory: b.Memory, Limit: b.Limit, ReadP99: r.ReadP99, WriteP99: r.WriteP99,
	}
}
