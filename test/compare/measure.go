package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ciderd/internal/bench"
	"ciderd/test/peers"
)

// Comparison is what make compare finds.
type Comparison struct {
	About    About
	Shapes   []Shape
	Cells    []*Cell
	Profiles []Profile
	Memory   []Memory
	Gaps     []Gap
}

// Shape is a shape of load: a row, or a column, of the tables.
type Shape struct {
	Name                  string
	Mix                   string
	Connections, Pipeline int
}

var shapes = []Shape{
	{"SET 1 x 1", "set", 1, 1}, {"SET 64 x 1", "set", 64, 1}, {"SET 50 x 128", "set", 50, 128},
	{"GET 1 x 1", "get", 1, 1}, {"GET 50 x 1", "get", 50, 1}, {"GET 50 x 128", "get", 50, 128},
}

// Cell is one system under one load, in each round.
type Cell struct {
	System, Shape string
	PerSecond     []float64
	Latency       []bench.Latency
	// CPU is how many microseconds of processors the servers have taken for each answer.
	CPU    []float64
	Errors []bench.Problem `json:",omitempty"`
}

// Memory is what keys take.
type Memory struct {
	System  string
	Keys    int
	Bytes   float64 // of anonymous memory, for each key
	FillFor float64 // seconds
}

// Gap is the longest time that a client of a survivor was without an OK, over each kill of a leader, in milliseconds.
type Gap struct {
	System       string
	Milliseconds []float64
	Errors       []bench.Problem `json:",omitempty"`
}

const (
	valueSize = 32
	prefix    = "bench:" // with ten digits: 16 bytes
	warmUp    = 200 * time.Millisecond
)

func contents(keys, size int) bench.Contents {
	return bench.Contents{Prefix: prefix, Keys: keys, Sizes: bench.Sizes{Min: size, Max: size}, TTL: time.Hour}
}

func (c *Comparison) measure(ctx context.Context, s *settings) error {
	c.Shapes = shapes
	all, left, err := startAll(s)
	defer func() {
		for _, one := range all {
			one.cluster.kill()
		}
	}()
	if err != nil {
		return err
	}
	c.About.LeftOut = left
	for _, one := range all {
		if err := one.fill(ctx); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
	}
	for round := range s.Rounds {
		say("round %d of %d", round+1, s.Rounds)
		for _, shape := range shapes {
			for i := range all {
				one := all[(i+round)%len(all)]
				if shape.Pipeline > 1 && one.oneOnly || shape.Mix == "set" && one.noSet {
					continue
				}
				if err := c.cell(one.name, shape.Name).run(ctx, one, shape, s.Seconds, contents(one.keys, valueSize)); err != nil {
					return fmt.Errorf("%s, %s: %w", one.name, shape.Name, err)
				}
			}
		}
	}
	if err := c.profiles(ctx, s, all[0]); err != nil {
		return err
	}
	if err := c.leaderless(ctx, s, all); err != nil {
		return err
	}
	for _, one := range all {
		one.cluster.kill()
	}
	return c.memory(ctx, s)
}

// cell returns the cell of a system and a shape, made where it is not there.
func (c *Comparison) cell(system, shape string) *Cell {
	if found := c.find(system, shape); found != nil {
		return found
	}
	c.Cells = append(c.Cells, &Cell{System: system, Shape: shape})
	return c.Cells[len(c.Cells)-1]
}

func (c *Comparison) find(system, shape string) *Cell {
	for _, cell := range c.Cells {
		if cell.System == system && cell.Shape == shape {
			return cell
		}
	}
	return nil
}

// open makes a load for a system.
func (one *system) open(ctx context.Context, shape Shape, seconds float64, contents bench.Contents) (*bench.Load, error) {
	address, err := one.address()
	if err != nil {
		return nil, err
	}
	mix, err := bench.ParseMix(shape.Mix)
	if err != nil {
		return nil, err
	}
	return bench.Open(ctx, bench.Config{
		Driver: one.driver(), Addresses: []string{address}, Connections: shape.Connections, Pipeline: shape.Pipeline, Mix: mix,
		Contents: contents, WarmUp: warmUp, For: time.Duration(seconds * float64(time.Second)), Seed: 1,
	})
}

// fill stores the keys.
func (one *system) fill(ctx context.Context) error {
	return one.fillWith(ctx, contents(one.keys, valueSize))
}

func (one *system) fillWith(ctx context.Context, contents bench.Contents) error {
	load, err := one.open(ctx, Shape{Mix: "set", Connections: 32, Pipeline: 1}, 0, contents)
	if err != nil {
		return err
	}
	defer load.Close()
	if one.noSet {
		return nil
	}
	return load.Fill(ctx)
}

// run measures once. Errors that are answered are noted; an error ends all.
func (cell *Cell) run(ctx context.Context, one *system, shape Shape, seconds float64, contents bench.Contents) error {
	load, err := one.open(ctx, shape, seconds, contents)
	if err != nil {
		return err
	}
	defer load.Close()
	var before, after time.Duration
	begin := time.AfterFunc(warmUp, func() { before = one.cluster.cpu() })
	end := time.AfterFunc(warmUp+time.Duration(seconds*float64(time.Second)), func() { after = one.cluster.cpu() })
	r := load.Run(ctx)
	if begin.Stop(); end.Stop() {
		after = one.cluster.cpu()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Answered == 0 {
		return fmt.Errorf("nothing was answered: %v", r.Errors)
	}
	cell.PerSecond = append(cell.PerSecond, r.PerSecond)
	cell.Latency = append(cell.Latency, r.Milliseconds)
	cell.CPU = append(cell.CPU, float64((after-before).Microseconds())/float64(r.Answered))
	cell.Errors = append(cell.Errors, r.Errors...)
	say("%-22s %-12s %9.0f/s  p50 %.3f ms  p99 %.3f ms  %.1f us of CPU", one.name, shape.Name, r.PerSecond, r.Milliseconds.P50, r.Milliseconds.P99, cell.CPU[len(cell.CPU)-1])
	for _, p := range r.Errors {
		say("  %d times %s: %s", p.Count, p.Name, p.Example)
	}
	return nil
}

// leaderless kills the leaders of clusters of three.
func (c *Comparison) leaderless(ctx context.Context, s *settings, all []*system) error {
	for _, one := range all {
		if one.name != "ciderd, leader" && one.name != "etcd, leader of three" {
			continue
		}
		gap := Gap{System: map[bool]string{true: "etcd", false: "ciderd"}[one.oneOnly]}
		for range s.Kills {
			r, err := one.killLeader(ctx)
			if err != nil {
				return fmt.Errorf("%s: a leader killed: %w", one.name, err)
			}
			say("%s, a leader killed: %.0f ms without an OK", gap.System, r.LongestWait)
			gap.Milliseconds, gap.Errors = append(gap.Milliseconds, r.LongestWait), append(gap.Errors, r.Errors...)
		}
		c.Gaps = append(c.Gaps, gap)
	}
	return nil
}

const (
	// Clients on each survivor write for so long, and the leader is killed meanwhile.
	survivorsWrite = 6 * time.Second
	killedAfter    = 500 * time.Millisecond
	clientsEach    = 4
)

// killLeader kills a leader while clients of the other nodes write, and starts it again.
func (one *system) killLeader(ctx context.Context) (r bench.Result, err error) {
	leader, err := one.cluster.leader()
	if err != nil {
		return r, err
	}
	var survivors []string
	for i, address := range one.cluster.text {
		if i != leader {
			survivors = append(survivors, address)
		}
	}
	driver := one.driver()
	if e, ok := driver.(*etcd); ok {
		// It answers a write that went down with the leader after 7 seconds only. A careful client does not wait for that.
		e.timeout = time.Second
	}
	load, err := bench.Open(ctx, bench.Config{
		Driver: driver, Addresses: survivors, Connections: clientsEach * len(survivors), Pipeline: 1, Mix: onlySet,
		Contents: contents(1000, valueSize), WarmUp: warmUp, For: survivorsWrite, Seed: 1,
	})
	if err != nil {
		return r, err
	}
	defer load.Close()
	killed := time.AfterFunc(warmUp+killedAfter, one.cluster.nodes[leader].kill)
	r = load.Run(ctx)
	killed.Stop()
	if err := ctx.Err(); err != nil {
		return r, err
	}
	if err := one.cluster.nodes[leader].start(); err != nil {
		return r, err
	}
	if one.oneOnly {
		return r, one.cluster.etcdReady()
	}
	return r, one.cluster.ready()
}

var onlySet, _ = bench.ParseMix("set")

// memory fills servers that have just started.
func (c *Comparison) memory(ctx context.Context, s *settings) error {
	for _, m := range []struct {
		name   string
		keys   int
		start  func() (*cluster, error)
		driver func() bench.Driver
	}{
		{"ciderd", s.Keys, func() (*cluster, error) { return startCiderd(s, "memory", 3) }, text},
		{"Redis", s.Keys, func() (*cluster, error) { return startRedis(s, "memory-redis", false) }, redis},
		{"memcached", s.Keys, func() (*cluster, error) { return startMemcached(s, "memory-memcached") }, func() bench.Driver { return &bench.Stream{Dialect: peers.Memcached{}} }},
		{"etcd", max(s.Keys/20, 1), func() (*cluster, error) { return startEtcd(s, "memory-etcd", 3) }, func() bench.Driver { return &etcd{} }},
	} {
		cluster, err := m.start()
		if errors.Is(err, errMissing) {
			continue
		}
		if err != nil {
			return err
		}
		one := &system{name: m.name, driver: m.driver, address: cluster.on(true, cluster.text), cluster: cluster}
		leader, err := cluster.leader()
		if err != nil {
			return err
		}
		before, begun := cluster.nodes[leader].atRest(), time.Now()
		err = one.fillWith(ctx, contents(m.keys, valueSize))
		took := time.Since(begun)
		if err == nil {
			bytes := float64(cluster.nodes[leader].atRest()-before) / float64(m.keys)
			say("%s: %d keys take %.0f bytes each", m.name, m.keys, bytes)
			c.Memory = append(c.Memory, Memory{m.name, m.keys, bytes, took.Seconds()})
		}
		cluster.kill()
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// atRest is the process's memory once it does not fall any more: a collector gives back what it has freed little by little.
func (p *process) atRest() int64 {
	const every, most = 500 * time.Millisecond, 40
	least, since := p.anonymous(), 0
	for i := 0; i < most && since < 6; i++ {
		time.Sleep(every)
		if now := p.anonymous(); now < least-least/200 {
			least, since = now, 0
		} else {
			least, since = min(now, least), since+1
		}
	}
	return least
}
