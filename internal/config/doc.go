// Package config owns the settings of a node: what can be set, where a value comes from, and what is
// wrong with it.
//
// A flag wins over a CIDERD_* variable, that over the file, and that over the default. The file is
// HCL; settings in schema.go is the one table of all keys, from which the file's keys, the names of
// the variables (limits.max_value_size is CIDERD_LIMITS_MAX_VALUE_SIZE), Describe and Diff are derived.
//
// There are only a few types: Options go into Load, a Config comes out, or an ErrorList with everything
// that is wrong, each with its place. The Runtime in a Config is what may change while the node runs.
//
// What it promises: a Config that Load returned is complete and consistent; a file that has anything
// wrong yields no Config at all; whatever the file's bytes, no panic.
//
// What it never does: look up host names, open a port, touch the data directory, start a goroutine,
// or evaluate anything in the file that is not a plain literal.
package config
