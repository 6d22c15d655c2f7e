package torture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ciderd/internal/harness"
)

// A violation is a promise of the daemon that did not hold; any other error is the harness's own.
type violation struct{ text string }

func (v *violation) Error() string { return v.text }

func violationf(format string, args ...any) error { return &violation{fmt.Sprintf(format, args...)} }

// complaints gathers errors of one round, up to a number of each kind of trouble that is worth
// reading. It may be used from any goroutine.
type complaints struct {
	mu    sync.Mutex
	errs  []error
	count int
}

const worthReading = 20

func (c *complaints) add(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count++; len(c.errs) < worthReading {
		c.errs = append(c.errs, err)
	}
}

// sort takes the violations out of what may be several errors joined, and gives the rest.
func (c *complaints) sort(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var rest []error
		for _, e := range joined.Unwrap() {
			rest = append(rest, c.sort(e))
		}
		return errors.Join(rest...)
	}
	var v *violation
	if errors.As(err, &v) {
		c.add(err)
		return nil
	}
	return err
}

func (c *complaints) all() ([]error, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errs, c.count
}

// until waits for a condition of the daemon's; that it does not come about is a violation. It ends
// early, with ctx's error, when the run is to end.
func until(ctx context.Context, limit time.Duration, what string, cond func() error) error {
	err := harness.Until(limit, what, func() error {
		if ctx.Err() != nil {
			return nil
		}
		return cond()
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return violationf("%v", err)
	}
	return nil
}
