//go:build plant_naive_sync

package cluster

// plantNaiveSync plants a bug for make torture-plants: SYNC takes the leader's word that it leads.
const plantNaiveSync = true
