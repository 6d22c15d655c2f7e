package rig

import (
	"os"
	"os/exec"
	"testing"
)

// A daemon without the change does not name the file with the time; a binary with its name, as this test's, does.
func TestClockNeedsTheChange(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := tryClock(self); err != nil {
		t.Errorf("a binary with the name: %v", err)
	}
	without, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	if tryClock(without) == nil {
		t.Error("a binary without the name passes")
	}
}
