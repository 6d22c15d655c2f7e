package protocol

import (
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for in, want := range map[string]time.Duration{
		"1": time.Second, "60": time.Minute, "0.5": 500 * time.Millisecond, "1ms": time.Millisecond, "1.9ms": time.Millisecond,
		"1.5s": 1500 * time.Millisecond, "2m": 2 * time.Minute, "1.25h": 75 * time.Minute, "7d": 7 * day, "0.1d": 144 * time.Minute,
		"007": 7 * time.Second, "36500d": 36500 * day, "3153600000": 36500 * day, "0.001": time.Millisecond,
		"0.999999999999999999999s": 999 * time.Millisecond, "0.29s": 290 * time.Millisecond, "1.0015s": 1001 * time.Millisecond,
	} {
		if got, err := ParseDuration([]byte(in)); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "0", "0ms", "0.0009s", "0.9ms", "-1", "+1", "s", ".5", "5.", "5.s", "1e3", "5S", "5 s", "5us", "5min", "1h30m", "36501d",
		"36500.1d", "9223372036854775807", "99999999999999999999h", "1,5s", strings.Repeat("0", 40) + "1",
	} {
		if got, err := ParseDuration([]byte(in)); err == nil || err.Code != Syntax {
			t.Errorf("%s: got %v, %v", in, got, err)
		}
	}
}
