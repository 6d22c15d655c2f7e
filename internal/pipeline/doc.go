// Package pipeline owns the writes that this node has accepted and that are not resolved yet. It makes batches of
// them, keeps the batches in order until they are done, and sends them, repeatedly if needed, to where they enter
// the log.
//
// It promises that each proposal has exactly one outcome (see Proposal.Wait); that a batch is only called done once
// it is applied here; that batches are sent in the order of their sequences, from the oldest that is not done
// whenever there is a new connection to the leader; and that what waits is bounded in commands and bytes. It never
// looks into a command or a result and does not know who leads or how to reach the leader (a Sink does). It sends
// again without asking what arrived: the FSM applies a batch if and only if it is the next one of its origin.
//
// proposal.go has one caller's writes; intake.go where they wait, by user; window.go what is accepted, and its
// outcomes; sender.go the goroutine that makes and sends batches; delay.go how long a batch waits for more.
package pipeline
