//go:build plant_ack_early

package pipeline

import "ciderd/internal/fsm"

// ackEarly plants a bug for make torture-plants: a plain SET is answered OK as it is put into a
// batch, before that is sent.
func (p *Proposal) ackEarly() {
	if p.size.commands == 1 && p.commands[0] == byte(fsm.OpSet) && p.commands[1] == 0 {
		p.finish([]fsm.Result{{Kind: fsm.KindOK}}, nil)
		p.acked = true
	}
}
