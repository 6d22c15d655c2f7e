package bench

import (
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what was measured. It is what ciderd bench prints as JSON.
type Result struct {
	Seconds      float64 // that were measured
	Answered     int64   // without an error
	PerSecond    float64 // of these
	Milliseconds Latency // of these
	Operations   map[string]OperationResult
	Errors       []Problem // the most frequent first
	// Unanswered requests were sent, and nothing came.
	Unanswered  int64
	Reconnected int64
	// LongestWait is the longest time, in milliseconds, that a connection was without an answer other than an error.
	LongestWait float64
	Load        Settings
}

// OperationResult is about one operation of a mix.
type OperationResult struct {
	Answered     int64
	PerSecond    float64
	Found        int64 `json:",omitempty"`
	Missed       int64 `json:",omitempty"`
	Milliseconds Latency
}

// Latency is how long answers took, in milliseconds.
type Latency struct{ Mean, P50, P90, P99, P999, Max float64 }

// Problem is a kind of error.
type Problem struct {
	Name    string
	Count   int64  // how often; how many requests were lost by it, if it is a connection's
	Example string // the first one
}

// Settings says what the load was.
type Settings struct {
	Addresses             []string
	Connections, Pipeline int
	Mix                   string
	Keys                  int
	Zipf                  float64
	MinSize, MaxSize      int
	Rate                  float64
}

// Progress is how it went in the last second.
type Progress struct {
	At        time.Duration // since measuring began; below 0: it has not yet
	PerSecond float64
	P50, P99  time.Duration
	Errors    int64 // with those that were not answered
}

// Latencies are counted from a nanosecond to two minutes, with three digits.
const (
	longestLatency = int64(2 * time.Minute)
	latencyDigits  = 3
)

// shard counts for some of the connections.
type shard struct {
	mu         sync.Mutex
	operations [operations]counted
	problems   map[string]*Problem
	unanswered int64
	again      int64
	longest    time.Duration
}

type counted struct {
	answered, found, missed int64
	times                   *hdrhistogram.Histogram // nil: none yet
}

func newShard() *shard { return &shard{problems: map[string]*Problem{}} }

// count counts answers that came at once, and reports whether one of them was no error.
func (s *shard) count(b *Burst, from, to int, took time.Duration) (good bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var times [operations]int64
	for i := from; i < to; i++ {
		o := b.Requests[i].Operation
		c := &s.operations[o]
		switch b.Outcomes[i] {
		case Found:
			c.found++
		case Missed:
			c.missed++
		case Failed:
			s.problem(codeOf(b.Errors[0]), b.Errors[0], 1)
			b.Errors = b.Errors[1:]
			continue
		}
		times[o]++
	}
	for o, n := range times {
		if n > 0 {
			good = true
			s.operations[o].add(n, took)
		}
	}
	return good
}

func (c *counted) add(n int64, took time.Duration) {
	c.answered += n
	if c.times == nil {
		c.times = hdrhistogram.New(1, longestLatency, latencyDigits)
	}
	_ = c.times.RecordValues(min(max(int64(took), 1), longestLatency), n) // it is within bounds
}

func (s *shard) problem(name, example string, n int64) {
	p := s.problems[name]
	if p == nil {
		p = &Problem{Name: name, Example: example}
		s.problems[name] = p
	}
	p.Count += n
}

// fail counts a connection that has ended with requests that have no answer, or was not made.
func (s *shard) fail(name, example string, unanswered int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem(name, example, max(unanswered, 1))
	s.unanswered += unanswered
}

func (s *shard) reconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.again++
}

func (s *shard) waited(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest = max(s.longest, d)
}

// drainInto moves what was counted to total, and adds it to second too, if there is one.
func (s *shard) drainInto(total, second *shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total.addAll(s)
	if second != nil {
		second.addAll(s)
	}
	for o := range s.operations {
		times := s.operations[o].times
		if times != nil {
			times.Reset()
		}
		s.operations[o] = counted{times: times}
	}
	clear(s.problems)
	s.unanswered, s.again = 0, 0
}

func (s *shard) addAll(other *shard) {
	for o := range other.operations {
		from, to := &other.operations[o], &s.operations[o]
		to.answered, to.found, to.missed = to.answered+from.answered, to.found+from.found, to.missed+from.missed
		if from.times != nil {
			if to.times == nil {
				to.times = hdrhistogram.New(1, longestLatency, latencyDigits)
			}
			to.times.Merge(from.times)
		}
	}
	for _, p := range other.problems {
		s.problem(p.Name, p.Example, p.Count)
	}
	s.unanswered, s.again, s.longest = s.unanswered+other.unanswered, s.again+other.again, max(s.longest, other.longest)
}

// all returns the answers of all operations.
func (s *shard) all() (n int64, times *hdrhistogram.Histogram) {
	times = hdrhistogram.New(1, longestLatency, latencyDigits)
	for o := range s.operations {
		n += s.operations[o].answered
		if s.operations[o].times != nil {
			times.Merge(s.operations[o].times)
		}
	}
	return n, times
}

func (s *shard) progress(at, took time.Duration) Progress {
	n, times := s.all()
	p := Progress{At: at, P50: time.Duration(times.ValueAtQuantile(50)), P99: time.Duration(times.ValueAtQuantile(99))}
	if took > 0 {
		p.PerSecond = float64(n) / took.Seconds()
	}
	for _, e := range s.problems {
		p.Errors += e.Count
	}
	return p
}

func (s *shard) result(took time.Duration, c *Config) Result {
	n, times := s.all()
	r := Result{
		Seconds: took.Seconds(), Answered: n, Milliseconds: latency(times), Operations: map[string]OperationResult{},
		Errors: []Problem{}, Unanswered: s.unanswered, Reconnected: s.again, LongestWait: s.longest.Seconds() * 1000,
		Load: Settings{
			Addresses: c.Addresses, Connections: c.Connections, Pipeline: c.Pipeline, Mix: c.Mix.String(), Keys: c.Contents.Keys,
			Zipf: c.Exponent, MinSize: c.Contents.Sizes.Min, MaxSize: c.Contents.Sizes.Max, Rate: c.Rate,
		},
	}
	perSecond := func(n int64) float64 { return float64(n) / max(took.Seconds(), 1e-9) }
	r.PerSecond = perSecond(n)
	for o := range s.operations {
		if one := &s.operations[o]; one.answered > 0 {
			r.Operations[Operation(o).String()] = OperationResult{
				Answered: one.answered, PerSecond: perSecond(one.answered), Found: one.found, Missed: one.missed, Milliseconds: latency(one.times),
			}
		}
	}
	for _, p := range s.problems {
		r.Errors = append(r.Errors, *p)
	}
	sort.Slice(r.Errors, func(i, j int) bool {
		a, b := r.Errors[i], r.Errors[j]
		return a.Count > b.Count || a.Count == b.Count && a.Name < b.Name
	})
	return r
}

func latency(h *hdrhistogram.Histogram) Latency {
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e6 }
	return Latency{Mean: h.Mean() / 1e6, P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1e6}
}

// codeOf is the first word of an error.
func codeOf(line string) string {
	code, _, _ := strings.Cut(line, " ")
	return code
}
