package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ciderd/internal/bench"
)

// write makes the parts of performance.md and the charts from the results that there are.
func (s *settings) write() error {
	parts, charts := map[string]string{}, map[string]string{}
	var c Comparison
	absent, err := s.load("compare.json", &c)
	if err != nil {
		return err
	}
	if !absent {
		c.parts(parts, charts)
	}
	var g Growth
	if absent, err = s.load("growth.json", &g); err != nil {
		return err
	}
	if !absent {
		g.parts(parts, charts)
	}
	for name, text := range charts {
		if err := os.WriteFile(filepath.Join(s.results(), name+".svg"), []byte(text), 0o666); err != nil {
			return err
		}
	}
	path := filepath.Join(s.docs, "performance.md")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, err := fill(string(text), parts)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(page), 0o666)
}

// A part of the page stands between these; what stands elsewhere is written by people.
const (
	partBegins = "<!-- measured: %s -->\n"
	partEnds   = "<!-- end -->\n"
)

// fill puts parts where the page has places for them. A place that is missing is a mistake.
func fill(page string, parts map[string]string) (string, error) {
	for name, text := range parts {
		begin := fmt.Sprintf(partBegins, name)
		before, rest, found := strings.Cut(page, begin)
		_, after, closed := strings.Cut(rest, partEnds)
		if !found || !closed {
			return "", fmt.Errorf("there is no %q with an end", strings.TrimSpace(begin))
		}
		page = before + begin + strings.TrimRight(text, "\n") + "\n" + partEnds + after
	}
	return page, nil
}

// systems are those that were measured, in order.
func (c *Comparison) systems() (names []string) {
	for _, cell := range c.Cells {
		if !slices.Contains(names, cell.System) {
			names = append(names, cell.System)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return orderOf(a) - orderOf(b) })
	return names
}

func orderOf(name string) int {
	for i := range colours {
		if colours[i].name == name {
			return i
		}
	}
	return len(colours)
}

func (c *Comparison) parts(parts, charts map[string]string) {
	parts["machine"] = c.About.text()
	for _, mix := range []string{"set", "get"} {
		parts[mix] = c.table(mix, func(cell *Cell) string {
			l := latencies(cell)
			return fmt.Sprintf("**%s** (%s / %s / %s)", rate(median(cell.PerSecond)), number(l.P50), number(l.P99), number(l.P999))
		})
		charts[mix] = barChart(strings.ToUpper(mix)+", answers a second", "connections x requests in flight; each group has a scale of its own", c.bars(mix))
	}
	parts["cpu"] = c.table("", func(cell *Cell) string { return number(median(cell.CPU)) })
	parts["ratios"] = c.ratios()
	parts["profile"] = profileTable(c.Profiles)
	order := []string{"SET 1 x 1", "SET 64 x 1", "GET 1 x 1", "GET 50 x 1"}
	charts["latency"] = dotChart("How long an answer takes", "full dot: half of all (p50); open dots: p99, p99.9; medians of the rounds", c.spreads(order), order)
	parts["memory"], charts["memory"] = c.memoryParts()
	parts["leaderless"], charts["leaderless"] = c.gapParts()
}

// text is where, when and how.
func (a *About) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "`%s`, %s, %.0f minutes: %s, %d processors, %d GiB, %s, %s; a synced write of 4 KiB takes %s ms there.\n", a.Command, a.Date, a.Minutes,
		a.Processor, a.Processors, a.MemoryGiB, a.Kernel, a.FileSystem, number(a.Sync))
	fmt.Fprintf(&b, "%s. All nodes and the load run on this one machine.\n", strings.Join(a.Versions, ", "))
	if len(a.LeftOut) > 0 {
		fmt.Fprintf(&b, "Left out: %s.\n", strings.Join(a.LeftOut, ", "))
	}
	return b.String()
}

// table has a row for each system and a column for each shape of a mix, all of them if that is empty.
func (c *Comparison) table(mix string, cellText func(*Cell) string) string {
	var b strings.Builder
	columns := slices.DeleteFunc(slices.Clone(c.Shapes), func(s Shape) bool { return mix != "" && s.Mix != mix })
	b.WriteString("| |")
	for _, s := range columns {
		fmt.Fprintf(&b, " %s |", s.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, system := range c.systems() {
		row, some := "| "+system+" |", false
		for _, s := range columns {
			text := "-"
			if cell := c.find(system, s.Name); cell != nil {
				text, some = cellText(cell), true
			}
			row += " " + text + " |"
		}
		if some {
			b.WriteString(row + "\n")
		}
	}
	return b.String()
}

// latencies are the medians over the rounds.
func latencies(cell *Cell) bench.Latency {
	of := func(get func(bench.Latency) float64) float64 {
		var all []float64
		for _, l := range cell.Latency {
			all = append(all, get(l))
		}
		return median(all)
	}
	return bench.Latency{
		P50: of(func(l bench.Latency) float64 { return l.P50 }), P99: of(func(l bench.Latency) float64 { return l.P99 }),
		P999: of(func(l bench.Latency) float64 { return l.P999 }),
	}
}

// rate writes a number with its thousands.
func rate(v float64) string {
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func (c *Comparison) bars(mix string) (groups []group) {
	for _, s := range c.Shapes {
		if s.Mix != mix {
			continue
		}
		g := group{name: s.Name}
		for _, system := range c.systems() {
			if cell := c.find(system, s.Name); cell != nil {
				v := median(cell.PerSecond)
				g.bars = append(g.bars, bar{system, v, rate(v)})
			}
		}
		groups = append(groups, g)
	}
	return groups
}

func (c *Comparison) spreads(shapes []string) map[string][]spread {
	groups := map[string][]spread{}
	for _, shape := range shapes {
		for _, system := range c.systems() {
			if cell := c.find(system, shape); cell != nil {
				l := latencies(cell)
				groups[shape] = append(groups[shape], spread{name: system, values: []float64{l.P50, l.P99, l.P999}})
			}
		}
	}
	return groups
}

// ratios are those of figures of the same round; the median of them is told.
func (c *Comparison) ratios() string {
	var b strings.Builder
	b.WriteString("| | beside | ratio | rounds |\n|---|---|---|---|\n")
	for _, r := range []struct {
		shape, of, to string
		time          bool
	}{
		{"SET 1 x 1", "ciderd, leader", "etcd, leader of three", true}, {"SET 1 x 1", "ciderd, follower", "etcd, leader of three", true},
		{"SET 64 x 1", "ciderd, leader", "Redis, fsync always", false}, {"SET 64 x 1", "ciderd, leader", "etcd, leader of three", false},
		{"SET 50 x 128", "ciderd, leader", "Redis, fsync always", false}, {"SET 50 x 128", "ciderd, follower", "ciderd, leader", false},
		{"GET 1 x 1", "ciderd, leader", "Redis, no disk", false},
		{"GET 50 x 1", "ciderd, leader", "an echo in Go", false}, {"GET 50 x 1", "ciderd, leader", "memcached", false}, {"GET 50 x 1", "ciderd, leader", "Redis, no disk", false},
		{"GET 50 x 128", "ciderd, leader", "Redis, no disk", false}, {"GET 50 x 128", "ciderd, leader, RESP", "Redis, no disk", false},
	} {
		of, to := c.find(r.of, r.shape), c.find(r.to, r.shape)
		if of == nil || to == nil {
			continue
		}
		var all []float64
		for i := range min(len(of.PerSecond), len(to.PerSecond)) {
			if r.time {
				all = append(all, of.Latency[i].P50/to.Latency[i].P50)
			} else {
				all = append(all, of.PerSecond[i]/to.PerSecond[i])
			}
		}
		what := r.shape + map[bool]string{true: ", p50", false: ", answers a second"}[r.time]
		fmt.Fprintf(&b, "| %s: %s | %s | **%.2f** | %.2f to %.2f |\n", what, r.of, r.to, median(all), slices.Min(all), slices.Max(all))
	}
	return b.String()
}

func (c *Comparison) memoryParts() (table, chart string) {
	var b strings.Builder
	b.WriteString("| | keys | bytes for each | filled at |\n|---|---|---|---|\n")
	g := group{}
	for _, m := range c.Memory {
		fmt.Fprintf(&b, "| %s | %s | **%.0f** | %s/s |\n", m.System, rate(float64(m.Keys)), m.Bytes, rate(float64(m.Keys)/m.FillFor))
		g.bars = append(g.bars, bar{m.System, m.Bytes, fmt.Sprintf("%.0f", m.Bytes)})
	}
	return b.String(), barChart("Bytes of memory for each key", "keys of 16 bytes, values of 32; anonymous memory of one node, of the leader where there is one", []group{g})
}

func (c *Comparison) gapParts() (table, chart string) {
	var b strings.Builder
	b.WriteString("| | kills | median | p90 | longest |\n|---|---|---|---|---|\n")
	rows := map[string][]spread{}
	for _, gap := range c.Gaps {
		all := gap.Milliseconds
		fmt.Fprintf(&b, "| %s | %d | **%.0f ms** | %.0f ms | %.0f ms |\n", gap.System, len(all), median(all), quantile(all, 0.9), slices.Max(all))
		rows[""] = append(rows[""], spread{gap.System, all, true})
	}
	return b.String(), dotChart("The leader is killed: longest time of a client of another node without an OK", "each dot is a kill, the line the median", rows, []string{""})
}

func (g *Growth) parts(parts, charts map[string]string) {
	parts["growth"] = g.About.text()
	for _, chart := range g.Charts {
		title := "Time of processors for each command, as " + chart.Of + " grow"
		if chart.Name == "sizes" {
			title = "Time of processors for each command, as values grow"
		}
		charts["growth-"+chart.Name] = lineChart(title, "microseconds, of all nodes together", chart.Of, chart.Series, func(p Point) float64 { return p.CPU }, " us")
		var b strings.Builder
		fmt.Fprintf(&b, "| %s |", chart.Of)
		for _, p := range chart.Series[0].Points {
			fmt.Fprintf(&b, " %s |", amount(chart.Of, p.At))
		}
		b.WriteString("\n|---|" + strings.Repeat("---|", len(chart.Series[0].Points)) + "\n")
		for _, s := range chart.Series {
			fmt.Fprintf(&b, "| %s |", s.Name)
			for _, p := range s.Points {
				fmt.Fprintf(&b, " **%s** (%s / %s) %s us |", rate(p.PerSecond), number(p.P50), number(p.P99), number(p.CPU))
			}
			b.WriteString("\n")
		}
		b.WriteString("\nWhere the leader's processors go:\n\n" + profileTable(chart.Profiles))
		parts["growth-"+chart.Name] = b.String()
	}
}
