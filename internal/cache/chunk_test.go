package cache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"weak"

	"ciderd/test/norace"
)

// emptyAll copies all that lies in chunks but the one that is being filled.
func emptyAll(k *Keyspace) {
	f := Defrag{Of: k}
	for _, c := range k.chunks.there() {
		if c.state.Load() == chunkFilled {
			f.empty(c)
		}
	}
	f.End()
}

// defrag empties what may be emptied now.
func defrag(k *Keyspace) (gain int64) {
	f := Defrag{Of: k}
	defer f.End()
	for {
		n, more := f.Next(3)
		if gain += n; !more {
			return gain
		}
	}
}

// checkChunks looks where records lie, and that what chunks say is live is what is there.
func checkChunks(tb testing.TB, k *Keyspace) {
	tb.Helper()
	live := map[*chunkPage]int{}
	k.dir.Load().each(func(t *table) bool {
		return t.each(func(r *record) bool {
			n := len(r.bytes())
			c := r.chunk()
			if c == nil {
				return true
			}
			live[c] += spaceFor(n)
			if n > chunkUpto || r.deadline() != 0 || c.index != 0 {
				tb.Fatalf("%q lies in a chunk, with %d bytes, at page %d", r.key(), n, c.index)
			}
			return true
		})
	})
	if f := k.filling; f.chunk != nil {
		live[f.chunk] += f.chunk.size() - f.given
	}
	for c, want := range live {
		if got := int(c.live.Load()); got != want {
			tb.Fatalf("a chunk counts %d bytes as live, and has %d", got, want)
		}
	}
}

// chunked is a keyspace of n small items.
func chunked(n int) *Keyspace {
	k := New().Create(1)
	for i := range n {
		k.Set(fmt.Appendf(nil, "key-%08d", i), fmt.Appendf(nil, "value-%026d", i), 0)
	}
	return k
}

// size returns the bytes of all chunks that are there once those without use are collected.
func (l *chunkList) size() (size, live int) {
	runtime.GC()
	for _, c := range l.there() {
		size, live = size+c.size(), live+int(c.live.Load())
	}
	return size, live
}

// left returns how many of the chunks are there once those without use are collected.
func left(chunks []weak.Pointer[chunkPage]) (n int) {
	runtime.GC()
	for _, c := range chunks {
		if c.Value() != nil {
			n++
		}
	}
	return n
}

// What is small lies in chunks once there is much of it, and nothing else does.
func TestWhatLiesInChunks(t *testing.T) {
	k := chunked(10_000)
	in, out := 0, 0
	k.Freeze().dir.each(func(t *table) bool {
		return t.each(func(r *record) bool {
			if r.chunk() != nil {
				in++
			} else {
				out++
			}
			return true
		})
	})
	if small := chunkFrom / int(MemoryOf(12, 32, false)); in+out != 10_000 || out > small+1 {
		t.Errorf("%d in chunks, %d not", in, out)
	}
	for n, want := range map[int]bool{0: true, 1: true, chunkUpto - headSize - 1: true, chunkUpto - headSize: false, 4000: false} {
		k.Set([]byte("k"), bytes.Repeat([]byte("v"), n), 0)
		if r := k.dir.Load().find(hashKey([]byte("k")), []byte("k")); (r.chunk() != nil) != want || len(r.value()) != n {
			t.Errorf("%d bytes: in a chunk %v", n, !want)
		}
	}
	k.Set([]byte("k"), nil, 1<<40)
	if r := k.dir.Load().find(hashKey([]byte("k")), []byte("k")); r.chunk() != nil {
		t.Error("an item with a deadline lies in a chunk")
	}
	for n := range 40 { // the runtime packs the smallest
		if r := newRecord(make([]byte, 1), make([]byte, n), 1, 0); r.chunk() != nil {
			t.Fatalf("%d bytes of an allocation of their own are taken for a chunk's", n)
		}
	}
	checkChunks(t, k)
}

// Chunks take what their records take, and little besides.
func TestChunksAreFull(t *testing.T) {
	k := chunked(40_000)
	size, live := k.chunks.size()
	if want := 40_000 * spaceFor(headSize+12+32); live < want*98/100 || size > want*102/100+chunkPages*pageBytes {
		t.Errorf("chunks of %d bytes, %d live, for %d bytes of records", size, live, want)
	}
	runtime.KeepAlive(k)
}

// When a keyspace is flushed its chunks go, and a view keeps those that it has.
func TestFlushedChunksGo(t *testing.T) {
	norace.Alone(t)
	k := chunked(50_000)
	v, chunks := k.Freeze(), slices.Clone(k.chunks.all)
	k.Flush()
	chunked := 0
	v.Range(func(key, value []byte, version uint64, _ int64) bool {
		if string(value) != fmt.Sprintf("value-%026s", bytes.TrimLeft(key[4:], "0")) && string(key) != "key-00000000" {
			t.Fatalf("%q has %q", key, value)
		}
		chunked++
		return true
	})
	if chunked != 50_000 {
		t.Errorf("%d items", chunked)
	}
	if n := left(chunks); n == 0 {
		t.Error("the view has lost its chunks")
	}
	runtime.KeepAlive(v)
	v = nil
	if n := left(chunks); n != 0 || k.filling.chunk != nil {
		t.Errorf("%d chunks are left", n)
	}
	checkRebuilt(t, k.store)
}

// While items are replaced and removed in no order for long, chunks take no more than a part above what is live, and
// nothing is lost.
func TestChurnKeepsChunksFull(t *testing.T) {
	norace.Alone(t)
	const items = 30_000
	k := chunked(items)
	rnd := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	for round := range 8 {
		for range items / 4 {
			key := fmt.Sprintf("key-%08d", rnd.IntN(items))
			switch rnd.IntN(4) {
			case 0:
				k.Delete([]byte(key))
				delete(want, key)
			default:
				value := fmt.Sprintf("%0*d", 20+rnd.IntN(30), round)
				k.Set([]byte(key), []byte(value), 0)
				want[key] = value
			}
		}
		for range 3 {
			defrag(k)
			runtime.GC()
		}
		checkChunks(t, k)
		if size, live := k.chunks.size(); size > live*120/100+deadLeast {
			t.Fatalf("round %d: chunks of %d bytes, for %d bytes that are live", round, size, live)
		}
	}
	for key, value := range want {
		if it, ok := k.Get([]byte(key), 0); !ok || string(it.Value) != value {
			t.Fatalf("%s is %q, want %q", key, it.Value, value)
		}
	}
	checkStructure(t, k)
	checkRebuilt(t, k.store)
}

// While a view holds what was emptied, no more is copied.
func TestViewsHoldDefragUp(t *testing.T) {
	norace.Alone(t)
	k := chunked(60_000)
	part := func(of int) {
		for i := range 60_000 {
			if i%10 < of {
				k.Delete(fmt.Appendf(nil, "key-%08d", i))
			}
		}
	}
	again := func() int64 {
		runtime.GC()
		return defrag(k)
	}
	v := k.Freeze()
	part(5)
	for gain, times := again(), 0; gain > 0; gain = again() {
		if times++; times > 2 {
			t.Fatal("it goes on and on")
		}
	}
	if size, live := k.chunks.size(); size < live*3/2 {
		t.Errorf("%d bytes are left for %d that are live, and a view holds all", size, live)
	}
	if v.Len() != 60_000 {
		t.Error("the view has changed")
	}
	runtime.KeepAlive(v)
	v = nil
	if again() == 0 {
		t.Error("it does not go on when the view is gone")
	}
	checkChunks(t, k)
}

// Chunks that are as good as full are left alone.
func TestFullChunksStay(t *testing.T) {
	norace.Alone(t)
	k := chunked(50_000)
	for i := range 50_000 {
		if i%20 == 0 {
			k.Delete(fmt.Appendf(nil, "key-%08d", i))
		}
	}
	if gain := defrag(k); gain != 0 {
		t.Errorf("%d bytes are gained", gain)
	}
}
