//go:build plant_restore_in_place

package fsm

import "io"

// build plants a bug for make torture-plants: readers see the new state while it is being built.
func (f *FSM) build(r io.Reader) (*state, error) {
	s := newState()
	f.state.Store(s)
	return readInto(s, r)
}
