//go:build !plant_not_ready

package cluster

const plantNotReady = false // see plant_not_ready.go
