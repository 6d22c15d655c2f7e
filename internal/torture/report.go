package torture

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
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
}

func (r *report) add(d deal, ops int64, violations, undecided int) {
	if r.rows == nil {
		r.rows = map[string]row{}
	}
	w := r.rows[d.name()]
	r.rows[d.name()] = row{w.rounds + 1, w.ops + ops, w.violations + violations, w.undecided + undecided}
}

func (r *report) print(out io.Writer) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "rounds\toperations\tviolations\tundecided\t  fault\n")
	line := func(name string, t row) {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t  %s\n", t.rounds, t.ops, t.violations, t.undecided, name)
	}
	var sum row
	for _, name := range slices.Sorted(maps.Keys(r.rows)) {
		t := r.rows[name]
		line(name, t)
		sum = row{sum.rounds + t.rounds, sum.ops + t.ops, sum.violations + t.violations, sum.undecided + t.undecided}
	}
	sum.violations += r.atEnd
	line("all", sum)
	_ = w.Flush() // out is a terminal or a log
	if len(r.usage) > 0 {
		fmt.Fprintln(out, strings.Join(r.usage, "\n"))
	}
}

// List prints the faults and how each is made.
func List(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, f := range faults() {
		fmt.Fprintf(w, "%s\t%s\n", f.name, f.how)
	}
	_ = w.Flush()
}
