package torture

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"ciderd/test/torture/judge"
)

// report counts rounds by fault; a pair counts as a fault of its own name.
type report struct {
	rows  map[string]row
	atEnd int
	usage []string
}

type row struct {
	rounds     int
	ops        int64
	violations int
	undecided  int
	gaps       []time.Duration
}

func (a row) plus(b row) row {
	return row{
		a.rounds + b.rounds, a.ops + b.ops, a.violations + b.violations, a.undecided + b.undecided,
		slices.Concat(a.gaps, b.gaps),
	}
}

func (r *report) add(name string, of row) {
	if r.rows == nil {
		r.rows = map[string]row{}
	}
	r.rows[name] = r.rows[name].plus(of)
}

func (r *report) print(out io.Writer) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "rounds\toperations\tviolations\tundecided\twithout an OK, s*\t  fault\n")
	line := func(name string, t row) {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%s\t  %s\n", t.rounds, t.ops, t.violations, t.undecided, judge.GapText(t.gaps), name)
	}
	var sum row
	for _, name := range slices.Sorted(maps.Keys(r.rows)) {
		t := r.rows[name]
		line(name, t)
		sum = sum.plus(t)
	}
	sum.violations += r.atEnd
	line("all", sum)
	_ = w.Flush() // out is a terminal or a log
	fmt.Fprintln(out, "* the longest time, in a round, that a node to which nothing was done went without an OK to a write: median, longest (rounds)")
	if len(r.usage) > 0 {
		fmt.Fprintln(out, strings.Join(r.usage, "\n"))
	}
}

// say tells which faults have not had their turn: a run may be too short for all.
func (r *report) say(out io.Writer, left []deal) {
	for _, d := range left {
		if r.rows[d.name()].rounds == 0 && len(d.faults) == 1 {
			fmt.Fprintf(out, "!!!! NO TIME WAS LEFT FOR %s\n", d.name())
		}
	}
}
