// Package e2e has, with the build tag of that name, the scenarios with real processes that are killed, paused,
// wiped, restarted and upgraded, and the clients that people really use: make e2e. What takes more than one node,
// or a program beside the daemon, belongs here; a fault that should come at any moment and under any load belongs
// into test/torture.
//
// It promises that each test has a cluster of its own and leaves nothing behind. It never imports a package of
// the daemon, and judges nothing by speed.
package e2e
