//go:build !plant_ack_early

package pipeline

// ackEarly does nothing; see plant_ack_early.go.
func (p *Proposal) ackEarly() {}
