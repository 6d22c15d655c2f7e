//go:build !plant_wall_clock

package fsm

// stampOf is the time that an entry brings with it.
func stampOf(h Header) int64 { return h.Stamp }
