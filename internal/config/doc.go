// Package config owns the settings of a node: what can be set, where a value comes from, and what is wrong with it.
//
// A flag wins over a CIDERD_* variable, that over the file, and that over the default. The file is HCL. settings in
// schema.go is the one table of all keys. The file's keys, the names of the variables (limits.max_value_size is
// CIDERD_LIMITS_MAX_VALUE_SIZE), Describe and Diff are derived from it.
//
// There are only a few types: Load takes Options and returns a Config, or an ErrorList with everything that is
// wrong, each with its place. The Runtime in a Config is what may change while the node runs.
//
// It promises: a Config that Load returned is complete and consistent; a file with any mistake yields no Config at
// all; no bytes in the file can cause a panic.
//
// It never looks up host names, opens a port, touches the data directory, starts a goroutine, or evaluates anything
// in the file that is not a plain literal.
package config
