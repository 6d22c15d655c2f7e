//go:build plant_verify_leader

package cluster

// plantVerifyLeader plants a bug for make torture-plants: SYNC takes Raft's VerifyLeader for proof,
// which counts replies to what was sent before it was called.
const plantVerifyLeader = true
