package harness

import (
	"fmt"
	"testing"
	"time"
)

// Limit bounds every wait for a condition and every reply. It is generous
// because the machine may be ten times slower than the one at hand.
const Limit = 3 * time.Minute

// pollInterval is how often a condition is looked at again.
const pollInterval = 25 * time.Millisecond

// Until calls cond until it returns nil and gives back its last error if that
// has not happened within limit. It may be called from any goroutine.
func Until(limit time.Duration, what string, cond func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := cond()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v: %w", what, limit, err)
		}
		time.Sleep(pollInterval)
	}
}

// Eventually is Until with Limit, and ends the test where that fails.
func Eventually(t testing.TB, what string, cond func() error) {
	t.Helper()
	if err := Until(Limit, what, cond); err != nil {
		t.Fatal(err)
	}
}
