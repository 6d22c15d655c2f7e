// Package rig owns the machine that torture runs on: for each node a network namespace, a disk and a ciderd
// process, the nodes together, and one connection to a node.
//
// It promises that what it makes is gone when the cluster is closed, or at the next start (see OpenHub), and
// that a node works again after Heal, whatever was done to it. It breaks nothing by itself, and knows neither
// the schedule nor what the clients of a load were told.
package rig
