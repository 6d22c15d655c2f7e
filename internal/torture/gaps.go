package torture

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// writeVerbs begin the lines whose OKs count for gaps.
var writeVerbs = []string{"SET", "SETNX", "CAS", "INCR", "APPEND", "MSET", "ONCE"}

// gaps keeps when each node answered writes with success. It judges nothing: it is for people.
type gaps map[string][]int64 // node -> ns since the load began

func (g gaps) add(o op) {
	verb, _, _ := strings.Cut(o.Line, " ")
	if o.Error == "" && slices.Contains(writeVerbs, verb) {
		g[o.Node] = append(g[o.Node], o.End)
	}
}

// longest is the longest time that a quiet node went without an OK; ok is false if none was quiet.
func (g gaps) longest(nodes []*node) (d time.Duration, ok bool) {
	for _, n := range nodes {
		if strain(n.level.Load()) != quiet {
			continue
		}
		times := g[n.name]
		slices.Sort(times)
		for i := 1; i < len(times); i++ {
			d, ok = max(d, time.Duration(times[i]-times[i-1])), true
		}
	}
	return d, ok
}

// gapText is the median, the longest, and of how many.
func gapText(gaps []time.Duration) string {
	if len(gaps) == 0 {
		return "-"
	}
	slices.Sort(gaps)
	return fmt.Sprintf("%.2f %.2f (%d)", gaps[len(gaps)/2].Seconds(), gaps[len(gaps)-1].Seconds(), len(gaps))
}
