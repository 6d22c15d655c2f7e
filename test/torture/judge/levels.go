package judge

import (
	"cmp"
	"fmt"
	"slices"
)

// Levels is what each process held at the ends of the rounds that it lived through, without
// clients: what grows from round to round is a leak.
type Levels struct {
	order  []int // pids, as they came
	series map[int]*levelSeries
}

type levelSeries struct {
	node  string
	usage []Usage
}

// fewestLevels is how many rounds a process must have lived through to be judged.
const fewestLevels = 6

// Add notes what a process of that node holds at the end of a round.
func (l *Levels) Add(node string, u Usage) {
	if l.series == nil {
		l.series = map[int]*levelSeries{}
	}
	s := l.series[u.Pid]
	if s == nil {
		s = &levelSeries{node: node}
		l.series[u.Pid] = s
		l.order = append(l.order, u.Pid)
	}
	s.usage = append(s.usage, u)
}

// Judge compares the medians of each process's first and last third. What is allowed is a quarter
// more and some: rounds differ in what they leave, and a young process is still warming up.
func (l *Levels) Judge() (errs []error) {
	for _, pid := range l.order {
		s := l.series[pid]
		if len(s.usage) < fewestLevels {
			continue
		}
		errs = append(errs,
			grew(s, "goroutines", 64, func(u Usage) int64 { return int64(u.Goroutines) }),
			grew(s, "descriptors", 48, func(u Usage) int64 { return int64(u.Descriptors) }),
			grew(s, "MiB resident", 384, func(u Usage) int64 { return u.RSS >> 20 }))
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func grew(s *levelSeries, what string, some int64, of func(Usage) int64) error {
	third := len(s.usage) / 3
	first, last := median(s.usage[:third], of), median(s.usage[len(s.usage)-third:], of)
	if last <= first+first/4+some {
		return nil
	}
	return Violationf("a process of %s has grown over %d rounds, from %d to %d %s", s.node, len(s.usage), first, last, what)
}

func median(all []Usage, of func(Usage) int64) int64 {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b Usage) int { return cmp.Compare(of(a), of(b)) })
	return of(sorted[len(sorted)/2])
}

// Lines tells of the processes that were judged, for people.
func (l *Levels) Lines() (lines []string) {
	for _, pid := range l.order {
		if s := l.series[pid]; len(s.usage) >= fewestLevels {
			a, b := s.usage[0], s.usage[len(s.usage)-1]
			lines = append(lines, fmt.Sprintf("%s, pid %d, over %d rounds: %d to %d goroutines, %d to %d descriptors, %d to %d MiB resident",
				s.node, pid, len(s.usage), a.Goroutines, b.Goroutines, a.Descriptors, b.Descriptors, a.RSS>>20, b.RSS>>20))
		}
	}
	return lines
}

// Usage is what a process holds.
type Usage struct {
	Pid, Descriptors, Goroutines int
	RSS                          int64 // bytes
}
