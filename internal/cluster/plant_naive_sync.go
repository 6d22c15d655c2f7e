//go:build plant_naive_sync

package cluster

// plantNaiveSync plants a bug for make torture-plants: SYNC relies on VerifyLeader, which counts replies from before it was called.
const plantNaiveSync = true
