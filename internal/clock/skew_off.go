//go:build !testclock

package clock

import "time"

// skew is nothing: the machine's wall clock is what it is. See skew.go.
func skew() time.Duration { return 0 }
