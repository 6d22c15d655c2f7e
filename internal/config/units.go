package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// unit is a name and its factor.
type unit struct {
	name  string
	times int64
}

// The units, each list from large to small. A value is printed in the largest that divides it.
var (
	sizeUnits = []unit{
		{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3}, {"B", 1},
	}
	durationUnits = []unit{
		{"d", int64(24 * time.Hour)}, {"h", int64(time.Hour)}, {"m", int64(time.Minute)},
		{"s", int64(time.Second)}, {"ms", int64(time.Millisecond)},
	}
)

// quantity is a kind of number that needs a unit.
type quantity struct {
	noun    string // for messages
	example string
	bare    string // the unit that a bare number most likely meant
	units   []unit
	print   []unit // the units that format uses
}

var (
	sizes = quantity{"size", "512KiB", "B", sizeUnits,
		[]unit{sizeUnits[0], sizeUnits[2], sizeUnits[4], sizeUnits[6]}}
	durations = quantity{"duration", "30s", "s", durationUnits, durationUnits}
)

// parse reads a decimal number followed by a unit, such as 512KiB or 1.5h.
func (q quantity) parse(text string) (int64, error) {
	digits := strings.TrimLeft(text, "0123456789.")
	number, name := text[:len(text)-len(digits)], strings.TrimSpace(digits)
	value, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a %s, which is a number and a unit, like %q", text, q.noun, q.example)
	case name == "":
		return 0, fmt.Errorf("%s has no unit: write a %s like %q", text, q.noun, q.suggestBare(number))
	}
	for _, u := range q.units {
		if u.name != name {
			continue
		}
		if value *= float64(u.times); value > math.MaxInt64/2 {
			return 0, fmt.Errorf("%q is far too large", text)
		}
		return int64(math.Round(value)), nil
	}
	return 0, fmt.Errorf("%q has an unknown unit: there are %s%s", text, q.names(), q.didYouMean(number, name))
}

// format returns value in a form that parse reads.
func (q quantity) format(value int64) string {
	smallest := q.print[len(q.print)-1]
	for _, u := range q.print {
		if value != 0 && value%u.times == 0 {
			return fmt.Sprint(value/u.times, u.name)
		}
	}
	if value == 0 {
		return "0" + q.bare
	}
	return strconv.FormatFloat(float64(value)/float64(smallest.times), 'f', -1, 64) + smallest.name
}

// suggestBare returns the likely meaning of a number without a unit: 524288 is 512KiB, 30 is 30s.
func (q quantity) suggestBare(number string) string {
	value, err := q.parse(number + q.bare)
	if err != nil {
		return q.example
	}
	return q.format(value)
}

func (q quantity) names() string {
	names := make([]string, len(q.units))
	for i, u := range q.units {
		names[len(names)-1-i] = u.name
	}
	return strings.Join(names, " ")
}

// didYouMean knows the usual slips: kb, K, kib, sec, min, hours.
func (q quantity) didYouMean(number, name string) string {
	for _, same := range []func(unit string) bool{
		func(unit string) bool { return strings.EqualFold(unit, name) },
		func(unit string) bool { return strings.EqualFold(unit[:1], name[:1]) },
	} {
		for _, u := range q.units {
			if same(u.name) {
				return fmt.Sprintf("; did you mean %q?", number+u.name)
			}
		}
	}
	return ""
}
