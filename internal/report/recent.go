package report

import (
	"context"
	"sync"
	"time"
)

// reuse is for how long an overview serves others who ask.
const reuse = time.Second

// Recent is an overview that is kept for a moment, so that other nodes are asked once a second at most, however many ask
// this one.
type Recent struct {
	Source *Source

	mu   sync.Mutex
	last Overview
	at   time.Time // zero: there is none yet
}

// Full returns what Source.Full does, but its overview may be a second old. Those who ask while it is being made wait for
// it, a second at most.
func (r *Recent) Full(ctx context.Context) Full {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() || time.Since(r.at) > reuse {
		// It is for those who come next, too, so it is not given up with the first one's request.
		r.last, r.at = r.Source.Overview(context.WithoutCancel(ctx)), time.Now()
	}
	return Full{r.Source.Report(), r.last}
}
