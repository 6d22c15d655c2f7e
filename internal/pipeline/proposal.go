package pipeline

import (
	"time"

	"ciderd/internal/fsm"
)

// Proposal is a group of commands on its way into the log. All of them go into one batch, so they
// have one end: results for all, or one error for all.
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
	// acked is set by a planted bug only: it has had its end before the log knew.
	acked bool
}

// Wait returns the results, one for each command, or the error that holds for all of them:
// ErrBusy, ErrNoLeader and ErrShutdown mean that nothing was done and nothing will be, ErrTimeout
// that the outcome is not known.
func (p *Proposal) Wait() ([]fsm.Result, error) {
	timer := time.NewTimer(time.Until(p.deadline))
	defer timer.Stop()
	select {
	case <-p.done:
		return p.results, p.err
	case <-timer.C:
	}
	if !p.pipeline.withdraw(p) {
		// In the window, or done this very moment: the latter is worth another look.
		select {
		case <-p.done:
			return p.results, p.err
		default:
			return nil, ErrTimeout
		}
	}
	return nil, ErrNoLeader
}

func (p *Proposal) finish(results []fsm.Result, err error) {
	if p.acked {
		return
	}
	p.results, p.err = results, err
	close(p.done)
}
