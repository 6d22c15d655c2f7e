package pipeline

import (
	"slices"

	"ciderd/internal/fsm"
)

// Batch is the proposals of one log entry.
type Batch struct {
	incarnation, sequence uint64

	entry     []byte // as fsm.AppendBatch made it
	given     bool   // entry has been given away: copies from now on
	proposals []*Proposal
	count     int
}

// Entry is the log entry as fsm.AppendBatch made it, to be read only.
func (b *Batch) Entry() []byte { return b.entry }

// Give is the log entry for somebody who keeps it and stamps it (Raft): each call gives bytes of
// their own.
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
