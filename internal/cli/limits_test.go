package cli

import (
	"strings"
	"testing"

	"ciderd/internal/admin/api"
)

func TestWriteLimits(t *testing.T) {
	for _, x := range []struct {
		limits api.Limits
		want   string
	}{
		{api.Limits{
			Set: true, MaxMemory: 2 << 30, WhenFull: "evict", Quota: 64 << 20, Working: 3 << 29, Memory: 1_234_567_890,
			Nodes: []api.NodeLimits{
				{Name: "cider-1", MaxMemory: "auto", WhenFull: "evict", Quota: "64MiB", Memory: 25_275_408_384},
				{Name: "cider-2", Reason: "does not answer"},
			},
		}, `
limit          2GiB
when full      evict
default quota  64MiB
working limit  1536MiB
in use         1.1GiB

NODE     MAX_MEMORY  WHEN_FULL  QUOTA  MEMORY
cider-1  auto        evict      64MiB  23.5GiB
cider-2  -           -          -      -        does not answer
`},
		{api.Limits{WhenFull: "evict", Memory: 800}, `
No limit has been set: memory is not bounded. Write limits.max_memory into the file, and reload.

limit          none
when full      evict
default quota  none
working limit  none
in use         800B

NODE  MAX_MEMORY  WHEN_FULL  QUOTA  MEMORY
`},
	} {
		var out strings.Builder
		if err := writeLimits(&out, &x.limits); err != nil {
			t.Fatal(err)
		}
		got := ""
		for line := range strings.Lines(out.String()) {
			got += strings.TrimRight(line, " \n") + "\n"
		}
		if want := x.want[1:]; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
}
