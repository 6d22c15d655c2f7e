package script

import "time"

// Allowance is what is left of limits for what shares them: the scripts of a transaction, and its other commands. It is for
// one goroutine.
type Allowance struct {
	steps, memory int64
	deadline      time.Time
}

// NewAllowance returns all that the limits allow. Its time begins now.
func NewAllowance(l Limits) *Allowance {
	l = l.withDefaults()
	return &Allowance{steps: l.Steps, memory: l.Memory, deadline: time.Now().Add(l.Time)}
}

// Take takes bytes that are allocated beside scripts, and a step. Its error is ErrSteps, ErrMemory or ErrTime.
func (a *Allowance) Take(bytes int) error {
	a.steps--
	a.memory -= int64(bytes)
	switch {
	case a.steps < 0:
		return ErrSteps
	case a.memory < 0:
		return ErrMemory
	case time.Now().After(a.deadline):
		return ErrTime
	}
	return nil
}

// keep notes what a run has left.
func (a *Allowance) keep(b *budget) { a.steps, a.memory = b.steps, b.memory }
