package cache

import (
	"fmt"
	"testing"
)

// begin sets keys from..to-1, and returns how many begin warm.
func begin(t *testing.T, k *Keyspace, from, to int) (warm int) {
	for i := from; i < to; i++ {
		k.Set(fmt.Append(nil, i), nil, 0)
		if heatOf(t, k, fmt.Sprint(i)) == newcomer(true, k.store.HeatEpoch()) {
			warm++
		}
	}
	return warm
}

func evict(k *Keyspace, from, to int) {
	for i := from; i < to; i++ {
		it, _ := k.Lookup(fmt.Append(nil, i), 0)
		k.Evict(fmt.Append(nil, i), it.Version)
	}
}

// What was evicted and comes back begins warm, once; what is new, or was deleted, does not.
func TestGhosts(t *testing.T) {
	for _, n := range []int{1, 100, 3000} {
		k := New().Create(1)
		if warm := begin(t, k, 0, 4*n); warm != 0 {
			t.Errorf("%d of %d new items began warm", warm, 4*n)
		}
		evict(k, 0, n)
		if warm := begin(t, k, 4*n, 5*n); warm > n/20 {
			t.Errorf("%d of %d new items began warm after an eviction", warm, n)
		}
		if warm := begin(t, k, 0, n); warm < n*9/10 {
			t.Errorf("%d of %d that came back began warm", warm, n)
		}
		for i := range n {
			k.Delete(fmt.Append(nil, i))
		}
		if warm := begin(t, k, 0, n); warm > n/20 {
			t.Errorf("%d of %d began warm for the second time", warm, n)
		}
	}
}

// Ghosts are carried to the tables that come in the place of theirs, larger and smaller ones.
func TestGhostsAreCarried(t *testing.T) {
	k := New().Create(1)
	begin(t, k, 0, 3000)
	evict(k, 0, 1000)
	begin(t, k, 10_000, 16_000)
	k.Freeze()
	for i := 10_000; i < 16_000; i++ {
		k.Delete(fmt.Append(nil, i))
	}
	if warm := begin(t, k, 0, 1000); warm < 800 {
		t.Errorf("%d of 1,000 that came back began warm", warm)
	}
}

// There are never more ghosts than slots.
func TestGhostsAreBounded(t *testing.T) {
	k := New().Create(1)
	for i := range 20_000 {
		begin(t, k, i, i+1)
		if i >= 500 {
			evict(k, i-500, i-499)
		}
	}
	k.dir.Load().each(func(table *table) bool {
		if len(table.ghosts) != len(table.groups) {
			t.Errorf("%d buckets of ghosts for %d groups", len(table.ghosts), len(table.groups))
		}
		return true
	})
}
