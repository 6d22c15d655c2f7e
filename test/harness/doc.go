// Package harness runs real ciderd processes for tests that look at the daemon
// from outside: it builds the binary once, writes the config file, starts,
// kills, pauses and restarts nodes on loopback, and speaks the text protocol.
//
// It promises that no process and no port outlives the test that asked for it,
// that what a failed test leaves behind (logs, config, data) is kept and named,
// and that a daemon that panics or reports a data race fails its test.
// It never imports a package of the daemon: what it expects is what
// interface.md says and nothing else.
//
// Waiting is for conditions, with Limit as the bound; nothing here takes a
// pause of the clock for a sign that something has happened.
package harness
