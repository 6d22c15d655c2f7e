package session

import (
	"ciderd/internal/protocol"
	"ciderd/internal/tally"
)

// Commands counts the commands of one session, each by its number in the table that its protocol has.
type Commands struct {
	meter   tally.Meter
	reply   protocol.Reply
	command uint16 // that is being done
	queued  bool   // it is answered later, and counted then
}

// Serve has do serve a command, and counts that, if not now then when it is answered.
func (c *Commands) Serve(command uint16, do func()) {
	c.command, c.queued = command, false
	c.meter.Begin(command)
	do()
	if !c.queued {
		c.answered(command)
	}
}

// later returns the number of the command that is being served, for whoever answers it later.
func (c *Commands) later() uint16 {
	c.queued = true
	return c.command
}

// answered counts a command whose answer was the last one.
func (c *Commands) answered(command uint16) { c.meter.Done(command, c.reply.Failed()) }
