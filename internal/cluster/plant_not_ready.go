//go:build plant_not_ready

package cluster

// plantNotReady plants a bug for make torture-plants: a node serves before it has caught up.
const plantNotReady = true
