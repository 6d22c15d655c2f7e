// Package judge owns the verdicts of torture: what clients were told, and what they may have been told, given
// what is there in the end.
//
// It works on records alone. It promises that what it complains of is a violation of what the daemon promises;
// what it could not decide it counts instead. It never talks to a node, starts no goroutine, and judges
// nothing by speed.
package judge
