package fsm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// BenchmarkApplySets applies entries of 512 SETs to random keys of as many as there are, as a pipelined load
// does; an operation is one SET.
func BenchmarkApplySets(b *testing.B) {
	for _, keys := range []int{1000, 100_000, 3_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			if keys > 1_000_000 && testing.Short() {
				b.Skip("filling it takes ten times as long as the rest")
			}
			const count, entries = 512, 64
			n := withUser(b)
			value := make([]byte, 32)
			key := func(i int) []byte { return fmt.Appendf(nil, "key:%012d", i) }
			for i := 0; i < keys; i += count {
				var commands []byte
				for k := i; k < i+count; k++ {
					commands = AppendCommand(commands, &Command{Op: OpSet, User: 1, Key: key(k % keys), Value: value})
				}
				n.sequence++
				n.feed(AppendBatch(nil, Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: n.sequence - 1, Count: count, Stamp: 1}, commands))
			}
			r := rand.New(rand.NewPCG(1, 2))
			var bodies [entries][]byte
			for e := range bodies {
				for range count {
					bodies[e] = AppendCommand(bodies[e], &Command{Op: OpSet, User: 1, Key: key(r.IntN(keys)), Value: value})
				}
			}
			log := []*raft.Log{{Type: raft.LogCommand, Term: 1}}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += count {
				b.StopTimer()
				n.sequence++
				n.index++
				log[0].Index = n.index
				log[0].Data = AppendBatch(nil, Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: n.sequence - 1, Count: count, Stamp: 1},
					bodies[i/count%entries])
				b.StartTimer()
				n.ApplyBatch(log)
			}
			if len(n.fatal) > 0 {
				b.Fatal(n.fatal)
			}
		})
	}
}

// What the gate does for each entry while there is room.
func BenchmarkBoundGrowth(b *testing.B) {
	var commands []Command
	for i := range 1000 {
		commands = append(commands, set(fmt.Sprint("key", i), "a value of thirty-two bytes, more"))
	}
	e := entry(Header{Origin: []byte("a/1"), Incarnation: 1, Sequence: 1}, commands...)
	for b.Loop() {
		BoundGrowth(e)
	}
}

// BenchmarkEncode makes an entry of 512 SETs; an operation is one SET.
func BenchmarkEncode(b *testing.B) {
	const count = 512
	c := set("key:000000000001", "a value of thirty-two bytes, more")
	var commands, entry []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		commands = AppendCommand(commands, &c)
		if i%count == count-1 {
			entry = AppendBatch(entry[:0], Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1, Count: count, Stamp: 1}, commands)
			commands = commands[:0]
		}
	}
}

// BenchmarkEvict fills the memory with items of one user and evicts half of them; ns/victim is without the filling.
func BenchmarkEvict(b *testing.B) {
	const items = 13_000
	n := withUser(b)
	n.one(1, limits(Limits{MaxMemory: MinMemory}), Result{Kind: KindOK})
	value := strings.Repeat("v", 1<<10)
	evicted := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for all := range slices.Chunk(slices.Collect(numbers(items)), 100) {
			var commands []Command
			for _, i := range all {
				commands = append(commands, set(fmt.Sprint(i), value))
			}
			n.do(2, commands...)
		}
		var entries [][]byte
		for all := range slices.Chunk(slices.Collect(numbers(items)), MaxVictims) {
			var victims []Victim
			for _, i := range all {
				item, _ := n.Shares().Keyspace(1).Get(fmt.Append(nil, i), 0)
				victims = append(victims, Victim{1, fmt.Append(nil, i), item.Version})
			}
			entries = append(entries, AppendEviction(nil, &Eviction{Target: MinMemory / 2, Victims: victims}))
		}
		before, _ := n.Shares().Of(1)
		b.StartTimer()
		n.feed(entries...)
		after, _ := n.Shares().Of(1)
		evicted += int64(after.Evicted - before.Evicted)
	}
	if evicted == 0 {
		b.Fatal("nothing was evicted")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(evicted), "ns/victim")
}

func numbers(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// manyKeys is a node with 100,000 keys of one user.
func manyKeys(b *testing.B) (n *node, keys int) {
	const count = 500
	n, keys = withUser(b), 100_000
	for i := 0; i < keys; i += count {
		var commands []Command
		for k := i; k < i+count; k++ {
			commands = append(commands, set(fmt.Sprintf("key:%012d", k), "a value of thirty-two bytes, more"))
		}
		n.do(2, commands...)
	}
	return n, keys
}

// BenchmarkSnapshot freezes a state of 100,000 keys and writes it to nowhere.
func BenchmarkSnapshot(b *testing.B) {
	n, keys := manyKeys(b)
	b.ReportAllocs()
	for b.Loop() {
		s := n.snapshot()
		if err := s.Persist(&nowhere{}); err != nil {
			b.Fatal(err)
		}
		s.Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*keys), "ns/key")
}

type nowhere struct{ sink }

func (*nowhere) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkRestore restores a snapshot of 100,000 keys.
func BenchmarkRestore(b *testing.B) {
	n, keys := manyKeys(b)
	snapshot := persist(b, n.snapshot())
	fresh := newNode(b, n.self)
	b.SetBytes(int64(len(snapshot)))
	b.ReportAllocs()
	for b.Loop() {
		fresh.restore(snapshot)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*keys), "ns/key")
}
