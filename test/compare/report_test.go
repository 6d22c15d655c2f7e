package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"ciderd/internal/bench"
)

// compared is a comparison with figures that are easy to check.
func compared() *Comparison {
	c := &Comparison{About: About{Command: "make compare", LeftOut: []string{"etcd: not installed"}}, Shapes: shapes}
	for i, system := range []string{"memcached", "ciderd, leader", "Redis, fsync always", "an echo in Go", "Redis, no disk"} {
		for _, s := range shapes {
			if s.Mix == "set" && i == 3 {
				continue
			}
			cell := c.cell(system, s.Name)
			for round := range 3 {
				cell.PerSecond = append(cell.PerSecond, float64((i+1)*1000*(round+1)))
				cell.Latency = append(cell.Latency, bench.Latency{P50: 0.01 * float64(i+1), P99: 1, P999: 20 + float64(round)})
				cell.CPU = append(cell.CPU, float64(round))
			}
		}
	}
	c.Profiles = []Profile{{"SET 1 x 1", 0.5, map[string]float64{"sessions": 0.25, "else": 0.75}}}
	c.Memory = []Memory{{"ciderd", 1_000_000, 105.4, 5}, {"Redis", 1_000_000, 110, 2}}
	c.Gaps = []Gap{{"ciderd", []float64{40, 10, 30, 20, 50}, nil}}
	return c
}

func growing() *Growth {
	g := &Growth{}
	for _, name := range []string{"connections", "keys", "sizes", "nodes"} {
		c := g.chart(name, map[string]string{"sizes": "bytes of a value"}[name])
		c.Profiles = []Profile{{"set, 10 connections", 1, nil}}
		c.Series = []Series{
			{"get & <set>", []Point{{10, 1000, 1, 2, 5}, {1000, 2000, 1, 2, 0}}},
			{"the same", []Point{{10, 1000, 1, 2, 5}, {1000, 2000, 1, 2, 0.001}}},
		}
	}
	return g
}

// Every chart is well-formed, has what it shows in it and nothing outside.
func TestCharts(t *testing.T) {
	parts, charts := map[string]string{}, map[string]string{}
	compared().parts(parts, charts)
	growing().parts(parts, charts)
	if len(charts) != 9 {
		t.Errorf("%d charts", len(charts))
	}
	for name, text := range charts {
		shapes := 0
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := token.(xml.StartElement); ok && (e.Name.Local == "circle" || e.Name.Local == "rect") {
				shapes++
			}
		}
		if shapes < 3 || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, "http://") && strings.Count(text, "http") > 1 {
			t.Errorf("%s: %d shapes\n%s", name, shapes, text)
		}
	}
	if set := charts["set"]; !strings.Contains(set, ">4,000<") || strings.Contains(set, "an echo") {
		t.Errorf("SET: %s", set)
	}
}

// The page of the repository has a place for every part, and what people have written there stays.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	parts, charts := map[string]string{}, map[string]string{}
	compared().parts(parts, charts)
	growing().parts(parts, charts)
	filled, err := fill(string(page), parts)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| ciderd, leader | **4,000** (0.02 / 1 / 21) |", "Left out: etcd: not installed.", "| ciderd | 1,000,000 | **105** | 200,000/s |",
		"| processors taken | 0.50 |", "| sessions | 25 % |", "| collecting garbage | 0 % |",
		"| ciderd | 5 | **30 ms** | 50 ms | 50 ms |", "| GET 50 x 1, answers a second: ciderd, leader | an echo in Go | **0.50** | 0.50 to 0.50 |",
		"| SET 64 x 1, answers a second: ciderd, leader | Redis, fsync always | **0.67** |",
	} {
		if !strings.Contains(filled, want) {
			t.Errorf("no %q in\n%s", want, filled)
		}
	}
	again, err := fill(filled, parts)
	if err != nil || again != filled {
		t.Errorf("filled twice it is another page (%v)", err)
	}
	for name := range charts {
		if !strings.Contains(filled, "(performance/"+name+".svg)") {
			t.Errorf("%s is not shown", name)
		}
	}
	if _, err := fill("nothing", parts); err == nil {
		t.Error("a page without places is filled")
	}
}

// A sample belongs to the first part that it fits.
func TestParts(t *testing.T) {
	for stack, want := range map[string]string{
		"syscall.Syscall internal/poll.(*FD).Write net.(*conn).Write ciderd/internal/server.(*socket).send":                                          "clients' sockets (kernel)",
		"syscall.Syscall internal/poll.(*FD).Write net.(*conn).Write ciderd/internal/peer.(*conn).write":                                             "sockets between nodes (kernel)",
		"ciderd/internal/cache.(*Keyspace).Get ciderd/internal/session.get ciderd/internal/server.(*Server).serve":                                   "the state: applying, looking up",
		"runtime.memmove go.etcd.io/bbolt.(*Tx).Commit ciderd/internal/storage/journal.(*Journal).doRound":                                           "moving the journal into BoltDB",
		"syscall.Fdatasync ciderd/internal/storage/journal.(*Journal).Append ciderd/internal/storage github.com/hashicorp/raft.(*Raft).dispatchLogs": "the journal, with its syncs",
		"runtime.findRunnable runtime.schedule runtime.mcall":                                                                                        "Go's scheduler and timers",
		"main.main": "else",
	} {
		if got := partOf(strings.Fields(stack)); got != want {
			t.Errorf("%s: %s, want %s", stack, got, want)
		}
	}
}

func TestScale(t *testing.T) {
	s := newScale(0, 300, 0, 0, []float64{0.2, 50})
	for v, want := range map[float64]float64{0.1: 0, 1: 100, 100: 300, 1e9: 300, 0: 0} {
		if got := s.at(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v is at %v, want %v", v, got, want)
		}
	}
	if m := s.marks(); len(m) != 4 {
		t.Errorf("%v", m)
	}
	if s := newScale(0, 300, 0, 0, []float64{10}); s.at(10) != 0 || math.IsNaN(s.at(20)) {
		t.Errorf("one value: %+v", s)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0.0123: "0.012", 0.5: "0.50", 1: "1", 2.34: "2.3", 123.4: "123", 9999: "9999", 12345: "12.3k", 2e6: "2M"} {
		if got := number(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
	if rate(1234567.8) != "1,234,568" || rate(999) != "999" || milliseconds(2000) != "2 s" || amount("bytes", 2048) != "2 KiB" || amount("keys", 2048) != "2,048" {
		t.Error(rate(1234567.8), rate(999), milliseconds(2000), amount("bytes", 2048), amount("keys", 2048))
	}
	if q := quantile([]float64{3, 1, 2}, 0.5); q != 2 {
		t.Error(q)
	}
}
