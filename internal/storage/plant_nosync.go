//go:build plant_nosync

package storage

// plantNoSync plants a bug for make torture-plants: the log is written without fsync.
const plantNoSync = true
