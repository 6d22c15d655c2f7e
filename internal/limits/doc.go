// Package limits owns how the limits of this node's file come into the log: once when a cluster is formed, and after
// that when a person has changed them in the file.
//
// It promises that nothing but such a change alters the limits: not a change of leader, not a node that joins, not a
// restart with the file as it was. It never judges whether memory is full, and evicts nothing.
package limits
