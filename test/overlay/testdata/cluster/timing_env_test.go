package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// The environment gives another size, all in proportion, and nothing that Raft refuses.
func TestTimingOfTheEnvironment(t *testing.T) {
	log := hclog.NewNullLogger()
	if got := timing(log); got != DefaultTiming {
		t.Errorf("without the variable: %+v", got)
	}
	for text, want := range map[string]Timing{
		"150ms": {Heartbeat: 150 * time.Millisecond, Election: 200 * time.Millisecond, Lease: 112500 * time.Microsecond, Commit: DefaultTiming.Commit},
		"600ms": {Heartbeat: 600 * time.Millisecond, Election: 800 * time.Millisecond, Lease: 450 * time.Millisecond, Commit: DefaultTiming.Commit},
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
