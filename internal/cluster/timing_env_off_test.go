//go:build !testtiming

package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// What people run has the timeouts of timing.go, whatever their environment says.
func TestTimingIsNoSetting(t *testing.T) {
	t.Setenv("TESTTIMING_HEARTBEAT", "100ms")
	want := Timing{
		Heartbeat: 300 * time.Millisecond, Election: 400 * time.Millisecond,
		Lease: 225 * time.Millisecond, Commit: 50 * time.Millisecond,
	}
	if got := timing(hclog.NewNullLogger()); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
