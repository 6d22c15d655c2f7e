package rig

import (
	"context"
	"time"

	"ciderd/test/harness"
	"ciderd/test/torture/judge"
)

// Until waits for a condition of the daemon's; that it does not come about is a violation. It ends
// early, with ctx's error, when the run is to end.
func Until(ctx context.Context, limit time.Duration, what string, cond func() error) error {
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
		return judge.Violationf("%v", err)
	}
	return nil
}
