package storage

import (
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// idleWatchdog is one that does not tick by itself.
func idleWatchdog(limit *time.Duration) *watchdog {
	w := &watchdog{doing: map[*watchedWrite]struct{}{}}
	w.limit = func() time.Duration { return *limit }
	return w
}

// hang begins a write that waits in a system call until done is called: reading a pipe that nothing comes
// through stands for a disk.
func hang(t *testing.T, w *watchdog, what string) (done func()) {
	t.Helper()
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		t.Fatal(err)
	}
	var ended sync.WaitGroup
	begun := make(chan thread)
	ended.Go(func() {
		mine := w.begin(what)
		for op := range w.doing {
			if op.what == what {
				begun <- op.on
			}
		}
		_, _ = syscall.Read(pipe[0], make([]byte, 1))
		w.end(mine)
	})
	for on := <-begun; !on.waits(); {
		time.Sleep(time.Millisecond)
	}
	return func() {
		_ = syscall.Close(pipe[1])
		ended.Wait()
		_ = syscall.Close(pipe[0])
	}
}

// A write that does not end ends the process, after the limit as it is then.
func TestWatchdog(t *testing.T) {
	limit := 4 * watchTick
	w := idleWatchdog(&limit)
	other := hang(t, w, "another")
	for i := range 3 {
		if op := w.tick(); op != nil {
			t.Fatalf("%q after %d ticks", op.what, i+1)
		}
	}
	other()
	done := hang(t, w, "one")
	for i := range 4 {
		if op := w.tick(); op != nil {
			t.Fatalf("%q after %d ticks", op.what, i+1)
		}
	}
	limit = watchTick
	if op := w.tick(); op == nil || op.what != "one" {
		t.Fatalf("hung: %v", op)
	}
	done()
	if op := w.tick(); op != nil {
		t.Fatalf("%q hangs, and it is done", op.what)
	}
}

// A write that waits for this process and not for the disk does not end it: it has parked (for the
// collector, a lock, a processor to go on with after a system call), or works.
func TestWatchdogStarvedWrite(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("nobody tells what a thread does")
	}
	for name, wait := range map[string]func(stop <-chan struct{}){
		"parked": func(stop <-chan struct{}) { <-stop },
		"spinning": func(stop <-chan struct{}) {
			for len(stop) == 0 {
			}
		},
		"system calls that come back": func(stop <-chan struct{}) {
			for len(stop) == 0 {
				syscall.Getppid()
			}
		},
		"behind a lock": func(stop <-chan struct{}) {
			var mu sync.Mutex
			mu.Lock()
			go func() { <-stop; mu.Unlock() }()
			mu.Lock()
		},
	} {
		t.Run(name, func(t *testing.T) {
			limit := 4 * watchTick
			w := idleWatchdog(&limit)
			begun, stop := make(chan struct{}), make(chan struct{}, 1)
			var ended sync.WaitGroup
			ended.Go(func() {
				defer w.end(w.begin(name))
				close(begun)
				wait(stop)
			})
			<-begun
			for i := range 50 {
				if op := w.tick(); op != nil {
					t.Errorf("taken for a hung disk after %d ticks", i+1)
					break
				}
				time.Sleep(time.Millisecond)
			}
			stop <- struct{}{}
			ended.Wait()
		})
	}
}
