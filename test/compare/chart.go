package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// colours are those of systems, in light and in dark; what is ours is blue.
var colours = []struct{ name, light, dark string }{
	{"ciderd, leader", "#0969da", "#58a6ff"}, {"ciderd, follower", "#54aeff", "#a5d6ff"}, {"ciderd, leader, RESP", "#1b7c83", "#39c5cf"},
	{"ciderd, one node", "#6639ba", "#bc8cff"}, {"etcd, leader of three", "#bc4c00", "#f0883e"}, {"etcd, one node", "#fb8f44", "#ffb77c"},
	{"Redis, fsync always", "#a40e26", "#ff7b72"}, {"Redis, no disk", "#ff8182", "#ffaba8"}, {"memcached", "#1a7f37", "#3fb950"},
	{"an echo in Go", "#6e7781", "#8b949e"}, {"ciderd", "#0969da", "#58a6ff"}, {"etcd", "#bc4c00", "#f0883e"}, {"Redis", "#ff8182", "#ffaba8"},
}

// classOf is a system's class in the style; series without a colour of their own take them in order.
func classOf(name string, i int) string {
	for n := range colours {
		if colours[n].name == name {
			return fmt.Sprint("c", n)
		}
	}
	return fmt.Sprint("c", []int{0, 4, 8, 6, 3, 2}[i%6])
}

// picture is an SVG: readable in light and dark, with the fonts of whoever looks at it.
type picture struct {
	strings.Builder
	width int
}

func newPicture(width int) *picture { return &picture{width: width} }

func (p *picture) text(x, y float64, anchor, class, text string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`+"\n", x, y, anchor, class, html.EscapeString(text))
}

func (p *picture) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(p, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`+"\n", x1, y1, x2, y2, class)
}

func (p *picture) dot(x, y, r float64, class string) {
	fmt.Fprintf(p, `<circle cx="%.1f" cy="%.1f" r="%.1f" class="%s"/>`+"\n", x, y, r, class)
}

// end returns the whole of it.
func (p *picture) end(height float64, title string) string {
	var light, dark strings.Builder
	for i, c := range colours {
		fmt.Fprintf(&light, ".c%d{fill:%s;stroke:%s}", i, c.light, c.light)
		fmt.Fprintf(&dark, ".c%d{fill:%s;stroke:%s}", i, c.dark, c.dark)
	}
	const shapes = ".path{fill:none;stroke-width:2}.many{fill-opacity:.45;stroke:none}.thick,.open{stroke-width:2}"
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img" aria-label="%s">
<style>
text{font:13px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328}
.title{font-size:15px;font-weight:600}.dim{fill:#59636e;font-size:12px}.back{fill:#ffffff}.grid{stroke:#d1d9e0}
%s
%s.open{fill:#ffffff}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}.dim{fill:#9198a1}.back{fill:#0d1117}.grid{stroke:#3d444d}
%s
%s.open{fill:#0d1117}
}
</style>
<rect class="back" width="100%%" height="100%%"/>
%s</svg>
`, p.width, height, p.width, height, html.EscapeString(title), light.String(), shapes, dark.String(), shapes, p.String())
}

// bar is one bar.
type bar struct {
	name  string
	value float64
	label string
}

// group is some bars of one scale.
type group struct {
	name string
	bars []bar
}

const (
	labelWidth = 170
	rowHeight  = 20
)

// barChart has a scale for each group: they differ by a thousand times.
func barChart(title, note string, groups []group) string {
	p := newPicture(760)
	p.text(16, 26, "start", "title", title)
	p.text(16, 44, "start", "dim", note)
	y := 66.0
	for _, g := range groups {
		if g.name != "" {
			p.text(16, y+6, "start", "", g.name)
			y += 16
		}
		most := 0.0
		for _, b := range g.bars {
			most = max(most, b.value)
		}
		for i, b := range g.bars {
			p.text(labelWidth, y+12, "end", "dim", b.name)
			width := max(b.value/most*420, 1)
			fmt.Fprintf(p, `<rect x="%d" y="%.1f" width="%.1f" height="14" rx="2" class="%s"/>`+"\n", labelWidth+8, y+1, width, classOf(b.name, i))
			p.text(labelWidth+14+width, y+12, "start", "dim", b.label)
			y += rowHeight
		}
		y += 18
	}
	return p.end(y, title)
}

// scale is a logarithmic one.
type scale struct{ from, to, low, high float64 }

// newScale goes from a power of ten to another, which are marked, or from the first value to the last.
func newScale(from, to, low, high float64, values []float64) scale {
	least, most := slices.Min(values), slices.Max(values)
	return scale{from, to, math.Pow(10, math.Floor(math.Log10(least)+1e-9)), math.Pow(10, math.Ceil(math.Log10(most)-1e-9))}.within(low, high)
}

func (s scale) within(low, high float64) scale {
	if low > 0 {
		s.low = low
	}
	if high > 0 {
		s.high = high
	}
	if s.high <= s.low {
		s.high = s.low * 10
	}
	return s
}

func (s scale) at(v float64) float64 {
	v = min(max(v, s.low), s.high)
	return s.from + (s.to-s.from)*math.Log(v/s.low)/math.Log(s.high/s.low)
}

// marks are the powers of ten on it.
func (s scale) marks() (all []float64) {
	for v := math.Pow(10, math.Ceil(math.Log10(s.low)-1e-9)); v <= s.high*1.0001; v *= 10 {
		all = append(all, v)
	}
	return all
}

// spread is a row of a dot chart: a line over all values, with a full dot at the first, open ones at the others; or many
// alike, and a line at their median.
type spread struct {
	name   string
	values []float64
	many   bool
}

// dotChart has one logarithmic scale, in milliseconds.
func dotChart(title, note string, groups map[string][]spread, order []string) string {
	p := newPicture(760)
	p.text(16, 26, "start", "title", title)
	p.text(16, 44, "start", "dim", note)
	var values []float64
	rows := 0
	for _, name := range order {
		for _, s := range groups[name] {
			values = append(values, s.values...)
			rows++
		}
	}
	if len(values) == 0 {
		return p.end(60, title)
	}
	x := newScale(labelWidth+16, 700, 0, 0, values)
	top, bottom := 62.0, 62.0
	for _, name := range order {
		if name != "" {
			bottom += 16
		}
		bottom += float64(len(groups[name]))*rowHeight + 14
	}
	for _, mark := range x.marks() {
		p.line(x.at(mark), top, x.at(mark), bottom, "grid")
		p.text(x.at(mark), bottom+16, "middle", "dim", milliseconds(mark))
	}
	y := top + 4
	for _, name := range order {
		if name != "" {
			p.text(16, y+8, "start", "", name)
			y += 16
		}
		for i, s := range groups[name] {
			class, middle := classOf(s.name, i), y+8
			p.text(labelWidth, middle+4, "end", "dim", s.name)
			if s.many {
				for _, v := range s.values {
					p.dot(x.at(v), middle, 4.5, class+" many")
				}
				p.line(x.at(median(s.values)), middle-9, x.at(median(s.values)), middle+9, class+" thick")
			} else {
				p.line(x.at(s.values[0]), middle, x.at(s.values[len(s.values)-1]), middle, class+" thick")
				for n := len(s.values) - 1; n > 0; n-- {
					p.dot(x.at(s.values[n]), middle, 4, class+" open")
				}
				p.dot(x.at(s.values[0]), middle, 5, class)
			}
			y += rowHeight
		}
		y += 14
	}
	return p.end(bottom+28, title)
}

// lineChart has logarithmic scales; a series' name stands at its end.
func lineChart(title, note, of string, series []Series, value func(Point) float64, unit string) string {
	p := newPicture(760)
	p.text(16, 26, "start", "title", title)
	p.text(16, 44, "start", "dim", note)
	var xs, ys []float64
	for _, s := range series {
		for _, point := range s.Points {
			xs, ys = append(xs, point.At), append(ys, max(value(point), 1e-3))
		}
	}
	const top, bottom, left, right = 62, 362, 70, 590
	x := newScale(left, right, slices.Min(xs), slices.Max(xs), xs)
	y := newScale(bottom, top, 0, 0, ys)
	for _, mark := range y.marks() {
		p.line(left, y.at(mark), right, y.at(mark), "grid")
		p.text(left-8, y.at(mark)+4, "end", "dim", number(mark)+unit)
	}
	slices.Sort(xs)
	for _, at := range slices.Compact(xs) {
		p.line(x.at(at), bottom, x.at(at), bottom+5, "grid")
		p.text(x.at(at), bottom+19, "middle", "dim", amount(of, at))
	}
	p.text((left+right)/2, bottom+38, "middle", "dim", of)
	type label struct {
		y float64
		i int
	}
	var labels []label
	for i, s := range series {
		class := classOf(s.Name, i)
		var path strings.Builder
		for n, point := range s.Points {
			fmt.Fprintf(&path, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[n == 0], x.at(point.At), y.at(value(point)))
		}
		fmt.Fprintf(p, `<path d="%s" class="%s path"/>`+"\n", path.String(), class)
		for _, point := range s.Points {
			p.dot(x.at(point.At), y.at(value(point)), 4, class)
		}
		labels = append(labels, label{y.at(value(s.Points[len(s.Points)-1])), i})
	}
	slices.SortFunc(labels, func(a, b label) int { return int(math.Copysign(1, a.y-b.y)) })
	last := 0.0
	for _, l := range labels {
		at := max(l.y, last+16) // not one over the other
		last = at
		p.dot(right+14, at, 4, classOf(series[l.i].Name, l.i))
		p.text(right+24, at+4, "start", "dim", series[l.i].Name)
	}
	return p.end(max(bottom+50, last+20), title)
}

// amount writes how much there is of what grows.
func amount(of string, v float64) string {
	switch {
	case !strings.HasPrefix(of, "bytes"):
		return rate(v)
	case v >= 1024:
		return fmt.Sprintf("%.0f KiB", v/1024)
	}
	return fmt.Sprintf("%.0f B", v)
}

func milliseconds(v float64) string {
	if v >= 1000 {
		return number(v/1000) + " s"
	}
	return number(v) + " ms"
}

// number writes a number in few letters.
func number(v float64) string {
	switch {
	case v >= 1e6:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1e6), ".0") + "M"
	case v >= 1e4:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1e3), ".0") + "k"
	case v >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return strings.TrimRight(fmt.Sprintf("%.3f", v), "0")
}

func median(all []float64) float64 { return quantile(all, 0.5) }

// quantile of no values is not asked for.
func quantile(all []float64, q float64) float64 {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}
