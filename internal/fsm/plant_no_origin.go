//go:build plant_no_origin

package fsm

// plantNoOrigin plants a bug for make torture-plants: a batch that is sent again is applied again.
const plantNoOrigin = true
