package main

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Signals to stop within a second are one; a later one ends the process at once, whatever it does.
func TestSecondSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := 0
		caught := make(chan os.Signal)
		s := newSignals()
		go s.run(caught, func(os.Signal) { ended++ })
		for _, after := range []time.Duration{0, time.Millisecond, 998 * time.Millisecond} {
			time.Sleep(after)
			caught <- syscall.SIGTERM
			caught <- syscall.SIGHUP
			caught <- syscall.SIGINT
		}
		synctest.Wait()
		if len(s.stop) != 1 || len(s.reload) != 1 || ended != 0 {
			t.Errorf("within a second: %d stops, %d reloads, ended %d times", len(s.stop), len(s.reload), ended)
		}
		time.Sleep(2 * time.Millisecond)
		caught <- syscall.SIGTERM
		synctest.Wait()
		if ended != 1 {
			t.Errorf("more than a second later: ended %d times", ended)
		}
		close(caught)
	})
}

// A verb that can be interrupted is told of the first signal, and is over by itself then.
func TestInterruptible(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		ctx, stop := interruptible()
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Second):
			t.Errorf("%v is not told", sig)
		}
		stop()
	}
	ctx, stop := interruptible()
	stop()
	if ctx.Err() == nil {
		t.Error("it goes on after its end")
	}
}
