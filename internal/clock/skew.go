//go:build testclock

package clock

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// SkewFile names the variable that names a file with a duration, as Go writes it: by so much the
// machine's wall clock is off. It is read each time, so the clock of a running process can be made
// to jump. This is in binaries with the tag testclock only.
const SkewFile = "TESTCLOCK_FILE"

// skew is 0 without the variable or the file. A file that says something else is a mistake of who
// tests, which must not pass for a clock that is right.
func skew() time.Duration {
	path := os.Getenv(SkewFile)
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
