// Package recovery owns what is left to do when a cluster has lost its quorum for good: it makes the data
// directory of one stopped node the only server of a cluster that goes on from what that directory has.
//
// It promises to say first what the directory has and what may be lost, to refuse while the quorum is not
// lost, to keep a copy, and that a recovery that is broken off anywhere leaves a directory that is right or
// that no node starts on. It is the one thing in ciderd that can lose what was acknowledged, so it never
// happens by itself. What keeps the servers of before from mixing with the recovered ones is in
// package cluster (recovered.go).
package recovery
