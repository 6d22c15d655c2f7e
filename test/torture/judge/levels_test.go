package judge

import (
	"fmt"
	"strings"
	"testing"
)

func TestLevels(t *testing.T) {
	for name, tc := range map[string]struct {
		rounds int
		of     func(i int) Usage
		finds  string // empty: nothing
	}{
		"steady":          {30, func(i int) Usage { return Usage{1, 30 + i%5, 60 + i%7, 100 << 20} }, ""},
		"one peak":        {30, func(i int) Usage { return Usage{1, 30, 60 + i/29*1000, 100 << 20} }, ""},
		"goroutines":      {12, func(i int) Usage { return Usage{1, 30, 60 + 20*i, 100 << 20} }, "goroutines"},
		"descriptors":     {12, func(i int) Usage { return Usage{1, 30 + 20*i, 60, 100 << 20} }, "descriptors"},
		"memory":          {12, func(i int) Usage { return Usage{1, 30, 60, int64(100+90*i) << 20} }, "MiB"},
		"too few to tell": {5, func(i int) Usage { return Usage{1, 30 + 100*i, 60, 100 << 20} }, ""},
		"a process each":  {30, func(i int) Usage { return Usage{i, 30 + 100*i, 60, 100 << 20} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var l Levels
			for i := range tc.rounds {
				l.Add("n1", tc.of(i))
			}
			got := fmt.Sprint(l.Judge())
			if tc.finds == "" && got != "[]" || !strings.Contains(got, tc.finds) {
				t.Errorf("finds %s, want %q", got, tc.finds)
			}
		})
	}
}
