// Package test looks at ciderd from outside, as interface.md describes it:
// conversations in text files, run against one node, a leader and a follower,
// and, with the build tag e2e, scenarios with processes that are killed,
// paused, wiped and restarted, and the clients that people really use.
//
// It never imports a package of the daemon. Where the interface is silent, the
// tests accept whatever a user could live with.
package test
