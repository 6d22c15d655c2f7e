package main

import (
	"context"
	"fmt"
	"strings"
)

// Growth is what make growth finds.
type Growth struct {
	About  About
	Charts []GrowthChart
}

// GrowthChart is what commands cost as one thing grows.
type GrowthChart struct {
	Name   string // of the file: connections, keys, sizes, nodes
	Of     string // what grows
	Series []Series
	// Profiles are of the leader, where it begins and ends.
	Profiles []Profile
}

// Series is one shape of load.
type Series struct {
	Name   string
	Points []Point
}

// Point is a median of the rounds.
type Point struct {
	At        float64
	PerSecond float64
	P50, P99  float64 // milliseconds
	CPU       float64 // microseconds of all nodes' processors for each command
}

func (g *Growth) measure(ctx context.Context, s *settings) error {
	g.About.Command = "make growth" + g.About.Command[len("make compare"):]
	three, err := startCiderd(s, "three", 3)
	if err != nil {
		return err
	}
	defer three.kill()
	for _, measure := range []func(context.Context, *settings, *system) error{g.connections, g.sizes, g.keys} {
		if err := measure(ctx, s, three.asked()); err != nil {
			return err
		}
	}
	three.kill()
	return g.nodes(ctx, s)
}

// asked is a cluster's leader, by the text port.
func (c *cluster) asked() *system {
	return &system{name: "ciderd", driver: text, address: c.on(true, c.text), cluster: c}
}

// add measures a point, and puts it where it belongs.
func (g *Growth) add(ctx context.Context, s *settings, one *system, chart, of, series string, at float64, shape Shape, keys, size int, end bool) error {
	cell := &Cell{}
	for range s.Rounds {
		if err := cell.run(ctx, one, shape, s.Seconds, contents(keys, size)); err != nil {
			return fmt.Errorf("%s, %s %v: %w", series, of, at, err)
		}
	}
	if end {
		profiled, err := one.profiled(ctx, s, shape, contents(keys, size))
		if err != nil {
			return err
		}
		if profiled.Shape = series + ", " + amount(of, at); !strings.HasPrefix(of, "bytes") {
			profiled.Shape += " " + of
		}
		if at == 1 {
			profiled.Shape = strings.TrimSuffix(profiled.Shape, "s")
		}
		c := g.chart(chart, of)
		c.Profiles = append(c.Profiles, profiled)
	}
	p := Point{At: at, PerSecond: median(cell.PerSecond), CPU: median(cell.CPU)}
	for i := range cell.Latency {
		if cell.PerSecond[i] == p.PerSecond {
			p.P50, p.P99 = cell.Latency[i].P50, cell.Latency[i].P99
		}
	}
	c := g.chart(chart, of)
	for i := range c.Series {
		if c.Series[i].Name == series {
			c.Series[i].Points = append(c.Series[i].Points, p)
			return nil
		}
	}
	c.Series = append(c.Series, Series{Name: series, Points: []Point{p}})
	return nil
}

func (g *Growth) chart(name, of string) *GrowthChart {
	for i := range g.Charts {
		if g.Charts[i].Name == name {
			return &g.Charts[i]
		}
	}
	g.Charts = append(g.Charts, GrowthChart{Name: name, Of: of})
	return &g.Charts[len(g.Charts)-1]
}

func (g *Growth) connections(ctx context.Context, s *settings, one *system) error {
	if err := one.fillWith(ctx, contents(1000, valueSize)); err != nil {
		return err
	}
	for _, n := range []int{10, 100, 1000, 10_000} {
		for _, mix := range []string{"get", "set"} {
			shape := Shape{fmt.Sprintf("%s %d x 1", mix, n), mix, n, 1}
			if err := g.add(ctx, s, one, "connections", "connections", mix+", one at a time", float64(n), shape, 1000, valueSize, n == 10 || n == 10_000); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *Growth) sizes(ctx context.Context, s *settings, one *system) error {
	for size := 16; size <= 512<<10; size *= 8 {
		keys := max(min(1000, 32<<20/size), 1)
		if err := one.fillWith(ctx, contents(keys, size)); err != nil {
			return err
		}
		for _, mix := range []string{"get", "set"} {
			shape := Shape{fmt.Sprintf("%s %d bytes", mix, size), mix, 20, 1}
			if err := g.add(ctx, s, one, "sizes", "bytes of a value", mix+", 20 x 1", float64(size), shape, keys, size, size == 16 || size == 512<<10); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *Growth) keys(ctx context.Context, s *settings, one *system) error {
	for keys := 1000; keys <= s.Most; keys *= 10 {
		if err := one.fillWith(ctx, contents(keys, valueSize)); err != nil {
			return err
		}
		for _, mix := range []string{"get", "set"} {
			for _, pipeline := range []int{1, 128} {
				shape := Shape{fmt.Sprintf("%s x%d %d keys", mix, pipeline, keys), mix, 50, pipeline}
				if err := g.add(ctx, s, one, "keys", "keys", fmt.Sprintf("%s, 50 x %d", mix, pipeline), float64(keys), shape, keys, valueSize, pipeline > 1 && (keys == 1000 || keys*10 > s.Most)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (g *Growth) nodes(ctx context.Context, s *settings) error {
	for _, nodes := range []int{1, 3, 5} {
		c, err := startCiderd(s, fmt.Sprintf("of-%d", nodes), nodes)
		if err != nil {
			return err
		}
		one := c.asked()
		one.name = fmt.Sprintf("ciderd, %d nodes", nodes)
		err = one.fillWith(ctx, contents(usualKeys, valueSize))
		for _, shape := range shapes {
			if err == nil {
				err = g.add(ctx, s, one, "nodes", "nodes", shape.Name, float64(nodes), shape, usualKeys, valueSize, nodes != 3 && shape.Mix == "set")
			}
		}
		c.kill()
		if err != nil {
			return err
		}
	}
	return nil
}
