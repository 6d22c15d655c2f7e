// Package block owns the large read buffers of all protocols' connections: a pool, so that a connection has one only
// while much arrives on it. It knows nothing of what is read, and clears nothing.
package block

import (
	"math/bits"
	"sync"
)

// Sizes of blocks, in bytes: powers of two from Least to most.
const (
	Least = 32 << 10
	most  = 8 << 20
)

// Block is a read buffer that goes back to the pool. A larger one than 8 MiB is left to the garbage collector.
type Block struct{ B []byte }

var pools [9]sync.Pool // by class: Least << class

func class(size int) int { return bits.Len(uint((size - 1) / Least)) }

// Get returns a block of at least size bytes, its content left over from earlier use.
func Get(size int) *Block {
	class := class(size)
	if class < len(pools) {
		if b, ok := pools[class].Get().(*Block); ok {
			return b
		}
	}
	return &Block{make([]byte, Least<<class)}
}

// Put gives a block back. It must not be used after that.
func Put(b *Block) {
	if len(b.B) <= most {
		pools[class(len(b.B))].Put(b)
	}
}
