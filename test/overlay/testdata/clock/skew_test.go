package clock

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A running process's wall clock is moved by a file, and its other clock is not.
func TestSkew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	t.Setenv(skewFile, file)
	c := New(nil)
	off := func() time.Duration { return time.Duration(c.Wall()-time.Now().UnixMilli()) * time.Millisecond }
	if d := off(); d.Abs() > time.Minute {
		t.Errorf("without a file the wall clock is off by %v", d)
	}
	c.Settle(c.Wall())
	for _, jump := range []string{"1h", "8760h", "-1h\n", "-8760h"} {
		if err := os.WriteFile(file, []byte(jump), 0o600); err != nil {
			t.Fatal(err)
		}
		want := skew()
		if d := off() - want; want == 0 || d.Abs() > time.Minute {
			t.Errorf("%q: off by %v", jump, d)
		}
		if d := time.Duration(c.Now()-time.Now().UnixMilli()) * time.Millisecond; d.Abs() > time.Minute {
			t.Errorf("%q has moved the cluster's time by %v", jump, d)
		}
	}
	if err := os.WriteFile(file, []byte("soon"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a file without a duration passes for a clock that is right")
		}
	}()
	skew()
}
