package clock

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// skewFile is ClockFile of test/overlay, which puts this file into daemons for tests.
const skewFile = "TESTCLOCK_FILE"

// skew is 0 without the variable or the file. A file that says something else is a mistake in the
// test, which must not pass for a clock that is right.
func skew() time.Duration {
	path := os.Getenv(skewFile)
	if path == "" {
		return 0
	}
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return 0
	}
	d, bad := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil || bad != nil {
		panic(fmt.Sprintf("%s: %v, %v", path, err, bad))
	}
	return d
}
