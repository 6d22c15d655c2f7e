package cluster

import (
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
)

// heartbeatVariable is Heartbeat of test/overlay, which puts this file into daemons for measurements.
const heartbeatVariable = "TESTTIMING_HEARTBEAT"

// timing is DefaultTiming without the variable, else DefaultTiming in another size. It says in the log
// what it is. A value that Raft would not take is a mistake in the measurement, which must not pass for a
// figure.
func timing(log hclog.Logger) Timing {
	text, set := os.LookupEnv(heartbeatVariable)
	if !set {
		return DefaultTiming
	}
	heartbeat, err := time.ParseDuration(text)
	scale := func(d time.Duration) time.Duration {
		return time.Duration(float64(d) * float64(heartbeat) / float64(DefaultTiming.Heartbeat))
	}
	t := Timing{
		Heartbeat: heartbeat, Election: scale(DefaultTiming.Election), Lease: scale(DefaultTiming.Lease),
		Commit: DefaultTiming.Commit,
	}
	if err != nil || t.Lease < raftLeast {
		panic(fmt.Sprintf("%s=%q: not a duration with a lease (%v) of at least %v: %v", heartbeatVariable, text, t.Lease, raftLeast, err))
	}
	log.Warn("timeouts for a measurement", "heartbeat", t.Heartbeat.String(), "lease", t.Lease.String())
	return t
}

// raftLeast is the shortest timeout that Raft takes.
const raftLeast = 5 * time.Millisecond
