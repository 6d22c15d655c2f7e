//go:build testtiming

package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// With the tag, the environment gives another size, all in proportion, and nothing that Raft refuses.
func TestTimingOfTheEnvironment(t *testing.T) {
	log := hclog.NewNullLogger()
	if got := timing(log); got != DefaultTiming {
		t.Errorf("without the variable: %+v", got)
	}
	for text, want := range map[string]Timing{
		"100ms": {Heartbeat: 100 * time.Millisecond, Election: 100 * time.Millisecond, Lease: 75 * time.Millisecond, Commit: DefaultTiming.Commit},
		"1s":    {Heartbeat: time.Second, Election: time.Second, Lease: 750 * time.Millisecond, Commit: DefaultTiming.Commit},
	} {
		t.Setenv(heartbeatVariable, text)
		if got := timing(log); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	for _, text := range []string{"", "soon", "400", "0", "-1s", "6ms"} {
		t.Setenv(heartbeatVariable, text)
		if got, refused := refusedTiming(log); !refused {
			t.Errorf("%q passes for a timeout: %+v", text, got)
		}
	}
}

func refusedTiming(log hclog.Logger) (got Timing, refused bool) {
	defer func() { refused = recover() != nil }()
	return timing(log), false
}
