//go:build !plant_no_origin

package fsm

const plantNoOrigin = false // see plant_no_origin.go
