//go:build e2e

package measure

import (
	"math"
	"math/rand/v2"
	"sort"
)

// traceKeys is how many keys there are in every trace.
const traceKeys = 100_000

// trace is an order in which keys are asked for, the same for the same seed.
type trace struct {
	name string
	make func(length int) []int
}

var traces = []trace{
	{"zipf 0.8", func(n int) []int { return zipfTrace(0.8, n, 0) }},
	{"zipf 0.99", func(n int) []int { return zipfTrace(0.99, n, 0) }},
	{"zipf 1.2", func(n int) []int { return zipfTrace(1.2, n, 0) }},
	{"moving hot set", func(n int) []int { return zipfTrace(0.99, n, 20) }},
	{"zipf 0.99 with scans", scanTrace},
	{"loop", loopTrace},
}

// zipf draws ranks from 0 up, of any exponent.
type zipf struct {
	sums   []float64
	random *rand.Rand
}

func newZipf(exponent float64) *zipf {
	z := &zipf{sums: make([]float64, traceKeys), random: rand.New(rand.NewPCG(7, uint64(exponent*100)))}
	sum := 0.0
	for i := range z.sums {
		sum += math.Pow(float64(i+1), -exponent)
		z.sums[i] = sum
	}
	return z
}

func (z *zipf) next() int {
	return sort.SearchFloat64s(z.sums, z.random.Float64()*z.sums[traceKeys-1])
}

// zipfTrace has keys in an order that has nothing to do with their rank. Which keys are hot changes so many times.
func zipfTrace(exponent float64, length, moves int) []int {
	z := newZipf(exponent)
	place := z.random.Perm(traceKeys)
	shift, every := 0, length+1
	if moves > 0 {
		every = length / moves
	}
	keys := make([]int, length)
	for i := range keys {
		if i > 0 && i%every == 0 {
			shift += traceKeys / 50
		}
		keys[i] = place[(z.next()+shift)%traceKeys]
	}
	return keys
}

// scanTrace has, in every tenth part, a scan through keys that are asked for once.
func scanTrace(length int) []int {
	keys := zipfTrace(0.99, length, 0)
	at := 0
	for i := range keys {
		if i%(length/10) < length/40 {
			keys[i] = traceKeys + at
			at++
		}
	}
	return keys
}

// loopTrace goes round and round through a third of the keys, with one key in two of a hot set between.
func loopTrace(length int) []int {
	keys := zipfTrace(0.99, length, 0)
	for i := 0; i < length; i += 2 {
		keys[i] = i / 2 % (traceKeys / 3)
	}
	return keys
}
