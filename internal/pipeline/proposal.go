package pipeline

import (
	"time"

	"ciderd/internal/fsm"
)

// Proposal is a group of commands in flight to the log. All of them go into one batch, so they have one outcome:
// results for all, or one error for all.
type Proposal struct {
	commands []byte
	size     size
	version  int    // see fsm.Group
	user     uint64 // see fsm.Group
	deadline time.Time
	pipeline *Pipeline
	done     chan struct{} // closed once results and err are set

	results []fsm.Result
	err     error
}

// Wait returns the results, one for each command, or the error that holds for all of them: ErrBusy, ErrNoLeader and
// ErrShutdown mean that nothing was done and nothing will be, ErrTimeout that the outcome is unknown.
func (p *Proposal) Wait() ([]fsm.Result, error) {
	timer := p.pipeline.timer(time.Until(p.deadline))
	defer p.pipeline.release(timer)
	select {
	case <-p.done:
		return p.results, p.err
	case <-timer.C:
	}
	if !p.pipeline.withdraw(p) {
		// It is in the window, or was just resolved: so look again.
		select {
		case <-p.done:
			return p.results, p.err
		default:
			return nil, ErrTimeout
		}
	}
	return nil, ErrNoLeader
}

// timer returns a timer that fires after d. Every write needs one for a moment, so they are reused.
func (p *Pipeline) timer(d time.Duration) *time.Timer {
	if t, ok := p.timers.Get().(*time.Timer); ok {
		t.Reset(d)
		return t
	}
	return time.NewTimer(d)
}

func (p *Pipeline) release(t *time.Timer) {
	t.Stop() // it does not fire after that
	p.timers.Put(t)
}

func (p *Proposal) finish(results []fsm.Result, err error) {
	p.results, p.err = results, err
	close(p.done)
}
