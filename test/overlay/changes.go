package overlay

import _ "embed"

// ClockFile is the environment variable that names a file with a duration, as Go writes it: by so much the
// wall clock of a daemon with MovableClock is off. The file is read each time, so the clock of a process that
// runs can be made to jump.
const ClockFile = "TESTCLOCK_FILE"

// MovableClock lets a file move the daemon's wall clock; see ClockFile.
var MovableClock = Change{
	Name:  "movable-clock",
	Does:  "takes the time of day from the machine, moved by what a file says",
	Edits: []Edit{{"internal/clock/clock.go", "time.Now().UnixMilli()", "time.Now().Add(skew()).UnixMilli()"}},
	Adds:  []File{{"internal/clock/skew.go", clockSkew}, {"internal/clock/skew_test.go", clockSkewTest}},
}

// Heartbeat is the environment variable with cluster.Timing.Heartbeat of a daemon with MovableTiming, as Go
// writes a duration; the other timeouts grow and shrink with it.
const Heartbeat = "TESTTIMING_HEARTBEAT"

// MovableTiming lets the environment say how long silence is taken for death; see Heartbeat. The daemon logs
// what it is.
var MovableTiming = Change{
	Name:  "movable-timing",
	Does:  "takes Raft's timeouts from the environment",
	Edits: []Edit{{"internal/cluster/node.go", "c.Timing = DefaultTiming", "c.Timing = timing(c.Log)"}},
	Adds: []File{
		{"internal/cluster/timing_env.go", clusterTiming}, {"internal/cluster/timing_env_test.go", clusterTimingTest},
	},
}

// What the changes add. As files of their own they are read and formatted like any others.
var (
	//go:embed testdata/clock/skew.go
	clockSkew string
	//go:embed testdata/clock/skew_test.go
	clockSkewTest string
	//go:embed testdata/cluster/timing_env.go
	clusterTiming string
	//go:embed testdata/cluster/timing_env_test.go
	clusterTimingTest string
)
