package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Severity is how bad a finding is; worse ones are less.
type Severity int

// The severities.
const (
	Critical Severity = iota // writes fail
	Broken                   // something does not work as it should: the cluster is degraded
	Advice                   // nothing is broken yet
)

var severityNames = map[Severity]string{Critical: "critical", Broken: "degraded", Advice: "advice"}

// String returns its name.
func (s Severity) String() string { return severityNames[s] }

// MarshalText writes it as its name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads that.
func (s *Severity) UnmarshalText(text []byte) error {
	for severity, name := range severityNames {
		if name == string(text) {
			*s = severity
			return nil
		}
	}
	return fmt.Errorf("no severity: %q", text)
}

// Finding is one thing that an operator should know, or do something about.
type Finding struct {
	Severity Severity
	Kind     string // a name for scripts: "node-silent"
	Node     string `json:",omitempty"` // which it is about; empty: the cluster
	What     string // what is so, with its number
	Why      string // why it matters
	Cure     string // what to do
}

// findings returns what is wrong, worst first.
func findings(o *Overview) (all []Finding) {
	for _, look := range checks {
		all = append(all, look(o)...)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Severity, b.Severity) })
	return all
}

// Plural counts things: 1 node, 2 nodes.
func Plural[N int | int64 | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// milliseconds writes nanoseconds for people.
func milliseconds(ns int64) string {
	return time.Duration(ns).Round(100 * time.Microsecond).String()
}
