package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// oneStop is for how long signals to stop are one: a terminal, a shell and a service manager may each send
// theirs.
const oneStop = time.Second

// signals are what a node that runs is told from outside.
type signals struct {
	stop   chan os.Signal // once
	reload chan struct{}
}

// catch takes the process's signals over. endNow is called at a second signal to stop, whatever the process
// is doing.
func catch(endNow func(os.Signal)) signals {
	// A log reader that has gone is no reason to end: the write fails, and that is all.
	signal.Ignore(syscall.SIGPIPE)
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	s := newSignals()
	go s.run(caught, endNow)
	return s
}

func newSignals() signals { return signals{make(chan os.Signal, 1), make(chan struct{}, 1)} }

func (s signals) run(caught <-chan os.Signal, endNow func(os.Signal)) {
	var first time.Time
	for sig := range caught {
		switch {
		case sig == syscall.SIGHUP:
			select {
			case s.reload <- struct{}{}:
			default: // the file has not been read yet since the last one
			}
		case first.IsZero():
			first = time.Now()
			s.stop <- sig
		case time.Since(first) > oneStop:
			endNow(sig)
		}
	}
}

// interruptible returns a context that ends at the first signal to stop. The second one ends the process.
func interruptible() (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
