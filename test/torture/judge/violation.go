package judge

import (
	"errors"
	"fmt"
	"sync"
)

// A violation is a promise of the daemon that did not hold; any other error is the harness's own.
type violation struct{ text string }

func (v *violation) Error() string { return v.text }

// Violationf is a violation in words.
func Violationf(format string, args ...any) error { return &violation{fmt.Sprintf(format, args...)} }

// Complaints gathers errors of one round, up to a number of each kind of trouble that is worth
// reading. It may be used from any goroutine.
type Complaints struct {
	mu    sync.Mutex
	errs  []error
	count int
}

const worthReading = 20

// Add notes an error; nil is none.
func (c *Complaints) Add(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count++; len(c.errs) < worthReading {
		c.errs = append(c.errs, err)
	}
}

// Sort takes the violations out of what may be several errors joined, and gives the rest.
func (c *Complaints) Sort(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var rest []error
		for _, e := range joined.Unwrap() {
			rest = append(rest, c.Sort(e))
		}
		return errors.Join(rest...)
	}
	var v *violation
	if errors.As(err, &v) {
		c.Add(err)
		return nil
	}
	return err
}

// All are the errors that are worth reading, and how many there were.
func (c *Complaints) All() ([]error, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errs, c.count
}
