// Package load owns the clients of one round of torture: what each kind of them does, the history of it, and
// what they complain of at once.
//
// It promises that no client sends anything twice (but by ONCE, with the same id) and that all are gone after
// Halt. It knows what a node may be going through only by the node's strain, and breaks nothing.
package load
