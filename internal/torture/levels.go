package torture

import (
	"cmp"
	"fmt"
	"slices"
)

// levels is what each process held at the ends of the rounds that it lived through, without
// clients: what grows from round to round is a leak.
type levels struct {
	order  []int // pids, as they came
	series map[int]*levelSeries
}

type levelSeries struct {
	node  string
	usage []usage
}

// fewestLevels is how many rounds a process must have lived through to be judged.
const fewestLevels = 6

func (l *levels) add(node string, u usage) {
	if l.series == nil {
		l.series = map[int]*levelSeries{}
	}
	s := l.series[u.pid]
	if s == nil {
		s = &levelSeries{node: node}
		l.series[u.pid] = s
		l.order = append(l.order, u.pid)
	}
	s.usage = append(s.usage, u)
}

// judge compares the medians of each process's first and last third. What is allowed is a quarter
// more and some: rounds differ in what they leave, and a young process is still warming up.
func (l *levels) judge() (errs []error) {
	for _, pid := range l.order {
		s := l.series[pid]
		if len(s.usage) < fewestLevels {
			continue
		}
		errs = append(errs,
			grew(s, "goroutines", 64, func(u usage) int64 { return int64(u.goroutines) }),
			grew(s, "descriptors", 48, func(u usage) int64 { return int64(u.descriptors) }),
			grew(s, "MiB resident", 384, func(u usage) int64 { return u.rss >> 20 }))
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func grew(s *levelSeries, what string, some int64, of func(usage) int64) error {
	third := len(s.usage) / 3
	first, last := median(s.usage[:third], of), median(s.usage[len(s.usage)-third:], of)
	if last <= first+first/4+some {
		return nil
	}
	return violationf("a process of %s has grown over %d rounds, from %d to %d %s", s.node, len(s.usage), first, last, what)
}

func median(all []usage, of func(usage) int64) int64 {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b usage) int { return cmp.Compare(of(a), of(b)) })
	return of(sorted[len(sorted)/2])
}

// lines tells of the processes that were judged, for people.
func (l *levels) lines() (lines []string) {
	for _, pid := range l.order {
		if s := l.series[pid]; len(s.usage) >= fewestLevels {
			a, b := s.usage[0], s.usage[len(s.usage)-1]
			lines = append(lines, fmt.Sprintf("%s, pid %d, over %d rounds: %d to %d goroutines, %d to %d descriptors, %d to %d MiB resident",
				s.node, pid, len(s.usage), a.goroutines, b.goroutines, a.descriptors, b.descriptors, a.rss>>20, b.rss>>20))
		}
	}
	return lines
}
