// Package pipeline owns the writes that this node has accepted and that have had no end yet: it
// makes batches of them, keeps the batches in order until they are done, and sends them, again if it
// must, to wherever they get into the log.
//
// It promises that each proposal has one end (see Proposal.Wait); that a batch is called done only
// by those who applied it here; that batches are sent in the order of their sequences, from the
// oldest that is not done whenever a way to the leader is new; and that what waits is bounded in
// commands and bytes. It never looks into a command or a result, does not know who leads or how to
// get there (a Sink does), and resends without asking what arrived: the FSM applies a batch if and
// only if it is the next one of its origin.
//
// The files: proposal.go is one caller's writes; intake.go where they wait, by user; window.go what is accepted, and the ends that it
// comes to; sender.go the goroutine that makes and sends batches; linger.go how long a batch waits
// for more.
package pipeline
