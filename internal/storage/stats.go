package storage

import (
	"sync/atomic"
	"time"
)

// Stats counts what the disk has done since the directory was opened.
type Stats struct {
	Writes    uint64        // transactions that were synced, or failed
	WriteTime time.Duration // total time of all of them
}

// counts holds the counters of Stats.
type counts struct{ writes, nanoseconds atomic.Uint64 }

func (c *counts) wrote(since time.Time) {
	c.writes.Add(1)
	c.nanoseconds.Add(uint64(time.Since(since)))
}

// Stats returns the current numbers.
func (s *Storage) Stats() Stats {
	c := &s.store.counts
	return Stats{Writes: c.writes.Load(), WriteTime: time.Duration(c.nanoseconds.Load())}
}
