// Package machine owns what this node knows of the memory of the machine that it runs on: how much there is for the
// process, and how much the process takes.
//
// It promises that each function asks anew, in microseconds, and returns only what the kernel and the runtime say. What
// they do not say is an error or 0, never a guess.
//
// It starts no goroutine, keeps nothing, sets nothing, and decides nothing: what a limit is to be, others decide.
package machine
