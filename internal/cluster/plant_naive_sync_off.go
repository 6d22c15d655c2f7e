//go:build !plant_naive_sync

package cluster

const plantNaiveSync = false // see plant_naive_sync.go
