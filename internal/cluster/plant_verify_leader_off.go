//go:build !plant_verify_leader

package cluster

const plantVerifyLeader = false // see plant_verify_leader.go
