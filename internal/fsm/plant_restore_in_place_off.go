//go:build !plant_restore_in_place

package fsm

import "io"

// build makes the state of a snapshot, aside.
func (f *FSM) build(r io.Reader) (*state, error) { return readSnapshot(r) }
