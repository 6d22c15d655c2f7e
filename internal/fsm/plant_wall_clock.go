//go:build plant_wall_clock

package fsm

import "syscall"

// stampOf plants a bug for make torture-plants: the machine's clock in Apply, which differs from
// node to node.
func stampOf(Header) int64 {
	var now syscall.Timeval
	_ = syscall.Gettimeofday(&now)
	return now.Nano() / 1e6
}
