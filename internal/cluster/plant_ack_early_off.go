//go:build !plant_ack_early

package cluster

// ackEarly does nothing; see plant_ack_early.go.
func (p *Proposal) ackEarly() {}
