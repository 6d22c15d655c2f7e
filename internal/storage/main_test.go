package storage

import (
	"os"
	"testing"
)

// The journals of tests are small: hundreds of the usual size would take most of a minute to write out.
func TestMain(m *testing.M) {
	journalLayout.Size = 256 << 10
	os.Exit(m.Run())
}
