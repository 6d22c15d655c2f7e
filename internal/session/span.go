package session

import (
	"ciderd/internal/cache"
	"ciderd/internal/fsm"
)

// span is the part of a user's keys that a list of SCAN has: those with positions from from on, and below to.
type span struct {
	from, to uint64 // to: fsm.Positions for the last ones
	count    int    // keys
	bytes    int64  // what a list takes for them
}

func (s *span) has(position uint64) bool { return position >= s.from && position < s.to }

func (s *span) add(key []byte) {
	s.count++
	s.bytes += lengthBytes + int64(len(key)) + placedBytes
}

// spanParts is into how many parts the positions behind a cursor are divided: the end of a span is that of a part.
const spanParts = 1 << 12

// span returns the largest span from a position on of which a list takes at most most bytes, or that of all keys, if they
// fit. It is nil if less than two pages fit, or the scan has been given up. It looks at each key once.
func (sc *scan) span(v *cache.View, seed *fsm.Seed, from uint64, count int, most int64) *span {
	if most < int64(min(2*count, v.Len()))*placedBytes {
		return nil
	}
	all := span{to: fsm.Positions}
	width := (fsm.Positions - from + spanParts - 1) / spanParts
	parts := make([]span, spanParts)
	v.Range(func(key, _ []byte, _ uint64, _ int64) bool {
		all.add(key)
		if position := seed.Position(key); position >= from {
			parts[(position-from)/width].add(key)
		}
		return sc.looked()
	})
	switch {
	case sc.err != nil:
		return nil
	case all.bytes <= most:
		return &all
	}
	s := span{from: from, to: from}
	for _, part := range parts {
		if s.bytes+part.bytes > most {
			break
		}
		s.count, s.bytes, s.to = s.count+part.count, s.bytes+part.bytes, min(s.to+width, fsm.Positions)
	}
	if s.to < fsm.Positions && s.count < 2*count {
		return nil
	}
	return &s
}
