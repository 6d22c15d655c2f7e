package cache

import (
	"fmt"
	"os"
	"regexp"
	"testing"
)

// The numbers are part of what replicas agree on: they stay as they are.
func TestMemoryOf(t *testing.T) {
	for _, tc := range []struct {
		key, value int
		deadline   bool
		want       int64
	}{
		{1, 0, false, 16 + 20},
		{1, 1, false, 16 + 20},
		{1, 2, false, 32 + 20},
		{16, 32, false, 64 + 20},
		{16, 32, true, 80 + 48},
		{16, 98, false, 128 + 20},
		{16, 99, false, 144 + 20},
		{16, 226, false, 256 + 20},
		{16, 227, false, 288 + 20},
		{16, 1000, false, 1152 + 20},
		{16, 994, false, 1024 + 20},
		{16, 32<<10 - 30, false, 32<<10 + 20},
		{16, 32<<10 - 29, false, 40<<10 + 20},
		{16, 32<<10 - 30, true, 40<<10 + 48},
		{1024, 1 << 20, false, 1<<20 + 8<<10 + 20},
	} {
		if got := MemoryOf(tc.key, tc.value, tc.deadline); got != tc.want {
			t.Errorf("MemoryOf(%d, %d, %v) = %d, want %d", tc.key, tc.value, tc.deadline, got, tc.want)
		}
	}
}

// The formula follows the runtime's own size classes, those of the Go that this is built with. It is nowhere far from
// them, exact where most items are, and on the whole neither above nor below.
func TestClassesAreTheRuntimes(t *testing.T) {
	below, above, sum, n := 1.0, 1.0, 0.0, 0
	for size := headSize; size <= 80<<10; size += 1 + size/1000 {
		real := cap(append([]byte(nil), make([]byte, size)...))
		ratio := float64(class(size)) / float64(real)
		below, above, sum, n = min(below, ratio), max(above, ratio), sum+ratio, n+1
		if (size > 24 && size <= 640 || size > 32<<10) && ratio != 1 {
			t.Errorf("%d bytes: %d, the runtime takes %d", size, class(size), real)
		}
	}
	if mean := sum / float64(n); below < 0.87 || above > 1.34 || mean < 0.97 || mean > 1.03 {
		t.Errorf("from %.3f to %.3f of the runtime's, %.3f on average", below, above, mean)
	}
}

// docs/sizing.md says what items count for.
func TestSizingIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/sizing.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$`).FindAllStringSubmatch(string(text), -1)
	if len(rows) < 5 {
		t.Fatalf("only %d rows", len(rows))
	}
	for _, row := range rows {
		var key, value int
		if _, err := fmt.Sscan(row[1]+" "+row[2], &key, &value); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("| %d | %d | %d | %d |", key, value, MemoryOf(key, value, false), MemoryOf(key, value, true)); row[0] != want {
			t.Errorf("docs/sizing.md has %s, want %s", row[0], want)
		}
	}
}
