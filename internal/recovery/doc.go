// Package recovery owns the last resort when a cluster has lost its quorum for good: it makes the data directory of
// one stopped node the only server of a cluster that continues from what that directory has.
//
// It promises to say first what the directory has and what may be lost, to refuse while the quorum is not lost, to
// keep a copy, and that a recovery that is interrupted anywhere leaves a directory that is valid or that no node
// starts on. It is the only part of ciderd that can lose acknowledged writes, so it never runs by itself. Package
// membership (recovered.go) keeps servers from before the recovery from mixing with the recovered ones.
//
// Beside that it makes the directory of a node that was killed one that an older release can open.
package recovery
