// Package conversations plays text files that show what is sent to ciderd and what comes back, against one node,
// a leader and a follower: README.md tells how they are written, and run_test.go is where playing them begins.
// A new command, reply or error code belongs here. With the build tag e2e, also those in faults, which take
// broken nodes or more than some seconds.
//
// It promises that together they have met every command and every error code. It never imports a package of the
// daemon. Where the interface is silent, it accepts whatever a user could live with.
package conversations
