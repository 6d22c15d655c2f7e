package cache

import (
	"fmt"
	"testing"
)

// Warm takes any keys, there or not, in keyspaces of any size, and changes nothing.
func TestWarm(t *testing.T) {
	for _, n := range []int{0, 1, 7, 900, 20_000} {
		s := New()
		k := s.Create(1)
		for i := range n {
			k.Set(fmt.Appendf(nil, "k%d", i), []byte("v"), int64(i%3))
		}
		for i := 0; i < n; i += 5 {
			k.Delete(fmt.Appendf(nil, "k%d", i))
		}
		hash, version, items := s.Hash(), k.Version(), k.Len()
		for many := range 3 * WarmAtOnce {
			var keys [][]byte
			for i := range many {
				keys = append(keys, fmt.Appendf(nil, "k%d", i*many%(2*n+1)))
			}
			k.Warm(keys)
		}
		k.Warm([][]byte{nil, {}, []byte("k1")})
		if s.Hash() != hash || k.Version() != version || k.Len() != items {
			t.Errorf("%d keys: Warm has changed something", n)
		}
	}
}
