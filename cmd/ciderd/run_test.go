package main

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A stop that hangs is not waited for beyond its limit, and one that ends is, and only as long.
func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		failed := errors.New("failed")
		for _, want := range []error{nil, failed} {
			inTime, err := within(time.Minute, func() error {
				time.Sleep(time.Second)
				return want
			})
			if !inTime || !errors.Is(err, want) {
				t.Errorf("in time %v, %v; want %v", inTime, err, want)
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("two stops of a second each took %v", took)
		}
		hangs := make(chan struct{})
		inTime, _ := within(time.Minute, func() error { <-hangs; return nil })
		if took := time.Since(start); inTime || took != 2*time.Second+time.Minute {
			t.Errorf("one that hangs: in time %v, after %v", inTime, took)
		}
		close(hangs)
	})
}
