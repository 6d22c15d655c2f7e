//go:build !plant_nosync

package storage

const plantNoSync = false // see plant_nosync.go
