package script

import (
	"context"
	"errors"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Limits bound one run of a script; 0 is the default of each.
type Limits struct {
	Steps  int64         // instructions: 10,000,000; steps of patterns and the like count too
	Memory int64         // bytes that are allocated, whether or not they are still in use, what commands reply too: 32 MiB
	Time   time.Duration // a second
}

func (l Limits) withDefaults() Limits {
	if l.Steps == 0 {
		l.Steps = 10_000_000
	}
	if l.Memory == 0 {
		l.Memory = 32 << 20
	}
	if l.Time == 0 {
		l.Time = time.Second
	}
	return l
}

// Why a script was ended. Nothing that it has done counts then.
var (
	ErrSteps  = errors.New("the script takes too many steps")
	ErrMemory = errors.New("the script takes too much memory")
	ErrTime   = errors.New("the script takes too long")
)

const (
	// clockEvery is how many steps lie between two looks at the clock: a single one may take some milliseconds, if it is
	// about a large table.
	clockEvery = 64
	// maxNesting is how deep functions of ours may call the script: each takes Go's stack, and each coroutine and pcall
	// has maxCalls calls of its own.
	maxNesting = 100
	maxCalls   = 200
)

// budget is what is left of a run's limits. It is the context of the run's Lua states: they ask it for Done before each
// instruction. Once it is used up each instruction fails, so that no pcall goes on.
type budget struct {
	context.Context // of the caller
	steps, memory   int64
	clock           int64 // steps until the next look at it
	deadline        time.Time
	nesting         int
	err             error // why nothing more is done; nil: go on
	run             *run
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func newBudget(ctx context.Context, a *Allowance) *budget {
	return &budget{Context: ctx, steps: a.steps, memory: a.memory, clock: clockEvery, deadline: a.deadline}
}

// Done is called before each instruction, and counts it.
func (b *budget) Done() <-chan struct{} {
	if b.spend(1); b.err != nil {
		return closed
	}
	return nil
}

// Err is why nothing more is done.
func (b *budget) Err() error { return b.err }

// spend counts steps.
func (b *budget) spend(steps int64) {
	b.steps -= steps
	b.clock -= steps
	switch {
	case b.err != nil:
	case b.steps < 0:
		b.err = ErrSteps
	case b.clock <= 0:
		b.clock = clockEvery
		if time.Now().After(b.deadline) {
			b.err = ErrTime
		} else {
			b.err = context.Cause(b.Context)
		}
	}
}

// of returns the budget of a running state.
func of(l *lua.LState) *budget { return l.Context().(*budget) }

// work counts steps of a function of ours, and ends the script if there are none left.
func (b *budget) work(l *lua.LState, steps int) {
	if b.spend(int64(steps)); b.err != nil {
		l.RaiseError("%s", b.err.Error())
	}
}

// charge counts bytes that are about to be allocated, and what it takes to write them.
func (b *budget) charge(l *lua.LState, bytes int) {
	if b.memory -= int64(bytes); b.memory < 0 && b.err == nil {
		b.err = ErrMemory
	}
	b.work(l, bytes>>8)
}

// enter counts a call from a function of ours into the script; leave must follow.
func (b *budget) enter(l *lua.LState) {
	if b.nesting >= maxNesting {
		l.RaiseError("stack overflow")
	}
	b.nesting++
}

func (b *budget) leave() { b.nesting-- }
