package pipeline

import "ciderd/internal/tally"

// Stats is what a pipeline has done since it was made, and what it holds now.
type Stats struct {
	Commands uint64 // that went into batches
	Batches  uint64 // that were made
	Resent   uint64 // batches that were sent more than once, each time counted
	Waiting  int    // commands that are in no batch yet
	InFlight int    // batches that have not been applied here

	Commit tally.Distribution `json:"-"` // of batches, from when they were made until they were applied here: nanoseconds
	Sizes  tally.Distribution `json:"-"` // of batches, in commands
}

// Stats returns the current numbers.
func (p *Pipeline) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.counts
	s.Waiting, s.InFlight = p.intake.commands, len(p.window)
	s.Commit, s.Sizes = p.commit.Read(), p.sizes.Read()
	return s
}
