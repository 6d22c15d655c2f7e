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

// What the changes add. As files of their own they are read and formatted like any others.
var (
	//go:embed testdata/clock/skew.go
	clockSkew string
	//go:embed testdata/clock/skew_test.go
	clockSkewTest string
)
