package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// writeVerbs begin the lines whose OKs count for gaps.
var writeVerbs = []string{"SET", "SETNX", "CAS", "INCR", "APPEND", "MSET", "ONCE"}

// Gaps keeps when each node answered writes with success. It judges nothing: it is for people.
type Gaps map[string][]int64 // node -> ns since the load began

// Add notes a success, at end, if it is a write's.
func (g Gaps) Add(node, line string, end int64) {
	verb, _, _ := strings.Cut(line, " ")
	if slices.Contains(writeVerbs, verb) {
		g[node] = append(g[node], end)
	}
}

// Longest is the longest time that one of the nodes went without an OK; ok is false if there is none.
func (g Gaps) Longest(nodes ...string) (d time.Duration, ok bool) {
	for _, node := range nodes {
		times := g[node]
		slices.Sort(times)
		for i := 1; i < len(times); i++ {
			d, ok = max(d, time.Duration(times[i]-times[i-1])), true
		}
	}
	return d, ok
}

// GapText is the median, the longest, and of how many.
func GapText(gaps []time.Duration) string {
	if len(gaps) == 0 {
		return "-"
	}
	slices.Sort(gaps)
	return fmt.Sprintf("%.2f %.2f (%d)", gaps[len(gaps)/2].Seconds(), gaps[len(gaps)-1].Seconds(), len(gaps))
}
