package cache

import (
	"fmt"
	"testing"
)

// A sample is a key that is visible; in time each is.
func TestSampleFindsEachVisibleKey(t *testing.T) {
	ks := New().Create(1)
	if key, ok := ks.Sample(5); ok {
		t.Errorf("%q is in an empty keyspace", key)
	}
	ks.Set([]byte("gone"), nil, 5)
	if key, ok := ks.Sample(5); ok {
		t.Errorf("%q is past its deadline", key)
	}
	const keys = 3000 // several tables
	for i := range keys {
		ks.Set(fmt.Appendf(nil, "key-%d", i), nil, int64(i%2)*9)
	}
	seen := map[string]bool{}
	for tries := 0; len(seen) < keys; tries++ {
		key, ok := ks.Sample(8)
		if !ok || string(key) == "gone" || tries > 1000*keys {
			t.Fatalf("%q, %v, after %d keys", key, ok, len(seen))
		}
		seen[string(key)] = true
	}
	for range keys {
		if key, ok := ks.Sample(9); !ok || (key[len(key)-1]-'0')%2 == 1 {
			t.Fatalf("%q, %v", key, ok)
		}
	}
}
