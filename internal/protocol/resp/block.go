package resp

import (
	"math/bits"
	"sync"
)

// Sizes of the buffers that readers share, in bytes: powers of two from minBlock to maxBlock.
const (
	minBlock = 32 << 10
	maxBlock = 8 << 20
)

// block is a read buffer that goes back to a pool. A larger one than maxBlock is left to the garbage collector.
type block struct{ b []byte }

var blocks [9]sync.Pool // by class: minBlock << class

func blockClass(size int) int { return bits.Len(uint((size - 1) / minBlock)) }

// getBlock returns a block of at least size bytes, its content left over from earlier use.
func getBlock(size int) *block {
	class := blockClass(size)
	if class < len(blocks) {
		if b, ok := blocks[class].Get().(*block); ok {
			return b
		}
	}
	return &block{make([]byte, minBlock<<class)}
}

func putBlock(b *block) {
	if len(b.b) <= maxBlock {
		blocks[blockClass(len(b.b))].Put(b)
	}
}
