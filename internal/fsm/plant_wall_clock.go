//go:build plant_wall_clock

package fsm

import "ciderd/internal/clock"

var plantedClock = clock.New(nil)

// stampOf plants a bug for make torture-plants: the machine's clock in Apply, which differs from
// node to node. (It comes from where torture can move it.)
func stampOf(Header) int64 { return plantedClock.Wall() }
