package pipeline

import (
	"slices"
	"time"

	"ciderd/internal/fsm"
)

// Batch is the proposals of one log entry.
type Batch struct {
	incarnation, sequence uint64

	entry     []byte // as fsm.AppendBatch made it
	given     bool   // entry was given away: from now on Give copies
	sent      bool   // at least once
	proposals []*Proposal
	count     int
	made      time.Time
}

// Entry returns the log entry made by fsm.AppendBatch, to be read only.
func (b *Batch) Entry() []byte { return b.entry }

// Give returns the log entry for a caller that keeps and stamps it (Raft). Each call returns separate bytes.
func (b *Batch) Give() []byte {
	if b.given {
		return slices.Clone(b.entry)
	}
	b.given = true
	return b.entry
}

// finish gives each proposal its part of the results, or all of them err.
func (b *Batch) finish(results []fsm.Result, err error) {
	for _, p := range b.proposals {
		if err != nil {
			p.finish(nil, err)
			continue
		}
		n := p.size.commands
		p.finish(results[:n:n], nil)
		results = results[n:]
	}
}
