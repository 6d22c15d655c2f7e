package cache

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"testing"
	"unsafe"
)

func benchKeys(n int) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%012d", i)
	}
	return keys
}

func benchStore(n int) (*Keyspace, [][]byte) {
	k, keys := New().Create(1), benchKeys(n)
	for _, key := range keys {
		k.Set(key, make([]byte, 32), 0)
	}
	return k, keys
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		k, keys := benchStore(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, ok := k.Get(keys[uint32(i)*2654435761%uint32(n)], 1); !ok {
					b.Fatal("missing")
				}
			}
		})
	}
}

func BenchmarkGetMiss(b *testing.B) {
	k, _ := benchStore(1_000_000)
	key := make([]byte, 16)
	for i := 0; b.Loop(); i++ {
		binary.LittleEndian.PutUint64(key, uint64(i))
		if _, ok := k.Get(key, 1); ok {
			b.Fatal("found")
		}
	}
}

func BenchmarkGetParallel(b *testing.B) {
	k, keys := benchStore(1000)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			k.Get(keys[i%len(keys)], 1)
		}
	})
}

// BenchmarkSet puts in new keys, a million to a keyspace.
func BenchmarkSet(b *testing.B) {
	keys, value := benchKeys(1_000_000), make([]byte, 32)
	s := New()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(keys) == 0 {
			s.Drop(1)
			s.Create(1)
		}
		s.Keyspace(1).Set(keys[i%len(keys)], value, 0)
	}
}

func BenchmarkSetOverwrite(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		k, keys := benchStore(n)
		value := make([]byte, 32)
		for name, deadline := range map[string]int64{"plain": 0, "deadline": 1} {
			b.Run(fmt.Sprint(n, "/", name), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					k.Set(keys[uint32(i)*2654435761%uint32(n)], value, deadline*int64(1000+i/500))
				}
			})
		}
	}
}

func BenchmarkDelete(b *testing.B) {
	keys := benchKeys(100_000)
	k := New().Create(1)
	for i := 0; b.Loop(); i++ {
		if i%len(keys) == 0 {
			b.StopTimer()
			for _, key := range keys {
				k.Set(key, nil, 0)
			}
			b.StartTimer()
		}
		k.Delete(keys[i%len(keys)])
	}
}

// BenchmarkStoreFreeze includes the first change after it in one keyspace.
func BenchmarkStoreFreeze(b *testing.B) {
	s := New()
	for id := range uint64(100_000) {
		s.Create(id).Set([]byte("k"), nil, 0)
	}
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		s.Freeze()
		s.Keyspace(i%100_000).Set([]byte("k"), nil, 0)
	}
}

// BenchmarkColdest is for one victim each.
func BenchmarkColdest(b *testing.B) {
	k, _ := benchStore(1_000_000)
	at := Cursor(0)
	b.ReportAllocs()
	for n := 0; b.Loop(); n-- {
		if n == 0 {
			var victims []Victim
			victims, at = k.Coldest(at, 0, 1<<40, 1000, nil)
			n = len(victims)
		}
	}
}

// BenchmarkDirty is for one slot each.
func BenchmarkDirty(b *testing.B) {
	k, _ := benchStore(1_000_000)
	at := Cursor(0)
	for n := 0; b.Loop(); n-- {
		if n == 0 {
			n = 8000
			at = k.Dirty(at, n, func([]byte, uint8) {})
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory reports the live heap for each key of 16 bytes with a value of
// 32, at the best and the worst fill that a factor of two in size goes through.
// Not a matter of time: run it with -benchtime=1x.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		low, high := math.Inf(1), 0.0
		key, value := make([]byte, 16), make([]byte, 32)
		before := heap()
		s := New()
		k := s.Create(1)
		const from, to = 200_000, 400_000
		for i := range to + 1 {
			binary.BigEndian.PutUint64(key, uint64(i))
			k.Set(key, value, 0)
			if i >= from && (i-from)%10_000 == 0 {
				per := float64(heap()-before) / float64(i+1)
				low, high = min(low, per), max(high, per)
			}
		}
		b.ReportMetric(low, "B/key-best")
		b.ReportMetric(high, "B/key-worst")
		runtime.KeepAlive(s)
	}
}

// TestSizes: the arithmetic in the package comment.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(group{}); n*maxGroups > 9472-8 || n*(maxGroups+1) <= 9472-8 {
		t.Errorf("%d groups of %d bytes do not just fill 9,472 bytes", maxGroups, n)
	}
	if n := len(newRecord(make([]byte, 16), make([]byte, 32), 1, 0).bytes()); n > 64 {
		t.Errorf("a 16 + 32 byte item takes %d bytes", n)
	}
}
