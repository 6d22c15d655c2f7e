package auth

import (
	"math/rand/v2"
	"testing"
)

// The model is a plain map and the order of the puts: the last half of distinct keys must be there,
// with their last value, and there must never be more than the capacity.
func TestRecentAgainstModel(t *testing.T) {
	const half, keys, steps = 8, 40, 20_000
	rng := rand.New(rand.NewPCG(1, 2))
	r := newRecent[int, int](2 * half)
	values := map[int]int{}
	var order []int // distinct keys, the last put at the end
	for step := range steps {
		k := rng.IntN(keys)
		r.put(k, step)
		values[k] = step
		for i, o := range order {
			if o == k {
				order = append(order[:i], order[i+1:]...)
				break
			}
		}
		order = append(order, k)
		if r.len() > 2*half {
			t.Fatalf("step %d: %d entries, more than %d", step, r.len(), 2*half)
		}
		for i, k := range order {
			v, ok := r.get(k)
			if ok && v != values[k] {
				t.Fatalf("step %d: key %d is %d, want %d", step, k, v, values[k])
			}
			if !ok && i >= len(order)-half {
				t.Fatalf("step %d: key %d is forgotten, %d from the end", step, k, len(order)-i)
			}
		}
	}
}
