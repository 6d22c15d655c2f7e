package fsm

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/dchest/siphash"
)

// Seed orders the keys of all users for SCAN, on every node alike. It is the cluster's secret: who knows it can make any
// number of keys with one position, which all come in one reply.
type Seed [seedSize]byte

const (
	seedSize = 16

	// Positions is how many positions there are. Clients read a position into a double or a signed integer.
	Positions = 1 << 53
)

// Position returns the place of a key in SCAN's order, below Positions: the top bits of its SipHash-2-4.
func (s *Seed) Position(key []byte) uint64 {
	low, high := s.halves()
	return siphash.Hash(low, high, key) >> 11
}

func (s *Seed) halves() (low, high uint64) {
	return binary.LittleEndian.Uint64(s[:8]), binary.LittleEndian.Uint64(s[8:])
}

// Format prints that there is a seed, and nothing of it.
func (Seed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(a seed)") }

// hash is 0 without a seed, so that such a state hashes as it always did.
func (s *Seed) hash() uint64 {
	if s == nil {
		return 0
	}
	low, high := s.halves()
	return hashOf([]byte("seed"), low, high)
}

// SetSeed returns the command that makes s the cluster's seed, if it has none yet.
func SetSeed(s Seed) Command { return Command{Op: OpSeed, Arg: s[:]} }

// setSeed keeps the first seed for good: an iteration that has begun goes on by it, wherever and whenever.
func (s *state) setSeed(c *Command) Result {
	if s.seed.Load() != nil {
		return Result{Kind: KindExists}
	}
	first := Seed(c.Arg)
	s.seed.Store(&first)
	return Result{Kind: KindOK}
}

// Seed returns the cluster's seed; nil: it has none yet. Once there is one it stays the same. Any goroutine may call it.
func (f *FSM) Seed() *Seed { return f.state.Load().seed.Load() }
