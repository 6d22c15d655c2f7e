package metrics

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"ciderd/internal/tally"
)

// family is one name, and how its series are made.
type family struct {
	name, help string
	labels     []string
	desc       *prometheus.Desc
	collect    func(r *reading, to chan<- prometheus.Metric)
}

// Emit emits one series: its value, and those of its labels.
type (
	emit          func(value float64, labels ...string)
	emitHistogram func(d tally.Distribution, labels ...string)
)

// counter is a family of counters, gauge one of gauges. Without labels read is called with an emit for its one series.
func counter(name, help string, labels []string, read func(r *reading, emit emit)) family {
	return values(prometheus.CounterValue, name, help, labels, read)
}

func gauge(name, help string, labels []string, read func(r *reading, emit emit)) family {
	return values(prometheus.GaugeValue, name, help, labels, read)
}

func values(kind prometheus.ValueType, name, help string, labels []string, read func(r *reading, emit emit)) family {
	desc := prometheus.NewDesc(name, help, labels, nil)
	return family{name: name, help: help, labels: labels, desc: desc, collect: func(r *reading, to chan<- prometheus.Metric) {
		read(r, func(v float64, labels ...string) { to <- prometheus.MustNewConstMetric(desc, kind, v, labels...) })
	}}
}

// histogram is a family of histograms, whose values are multiplied by a scale: that of nanoseconds gives seconds.
func histogram(name, help string, labels []string, scale float64, read func(r *reading, emit emitHistogram)) family {
	desc := prometheus.NewDesc(name, help, labels, nil)
	return family{name: name, help: help, labels: labels, desc: desc, collect: func(r *reading, to chan<- prometheus.Metric) {
		read(r, func(d tally.Distribution, labels ...string) {
			buckets, count := map[float64]uint64{}, uint64(0)
			for i, bound := range d.Bounds {
				count += d.Counts[i]
				buckets[scaled(bound, scale)] = count
			}
			to <- prometheus.MustNewConstHistogram(desc, d.Count(), float64(d.Sum)*scale, buckets, labels...)
		})
	}}
}

// nanoseconds is the scale that makes seconds of them, and ones leaves a value as it is.
const (
	nanoseconds = 1e-9
	ones        = 1
)

// scaled multiplies a bound, and rounds off what the multiplication adds: 0.005, not 0.0050000000000000001.
func scaled(bound int64, scale float64) float64 {
	return math.Round(float64(bound)*scale*1e9) / 1e9
}

// always is the value of a family's one series.
func always(value func(r *reading) float64) func(*reading, emit) {
	return func(r *reading, emit emit) { emit(value(r)) }
}

func only(d func(r *reading) tally.Distribution) func(*reading, emitHistogram) {
	return func(r *reading, emit emitHistogram) { emit(d(r)) }
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
