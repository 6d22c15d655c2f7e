package fsm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/raft"
)

// BenchmarkApplySets applies entries of 512 SETs to random keys of as many as there are, as a pipelined load
// does; an operation is one SET.
func BenchmarkApplySets(b *testing.B) {
	for _, keys := range []int{1000, 100_000, 3_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
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
