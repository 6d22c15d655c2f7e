//go:build !testtiming

package cluster

import "github.com/hashicorp/go-hclog"

// timing is what it is, whatever the environment says. See timing_env.go.
func timing(hclog.Logger) Timing { return DefaultTiming }
