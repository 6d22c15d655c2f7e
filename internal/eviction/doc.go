// Package eviction owns the choice of what leaves when memory is full. On the leader it is the gate: before an entry
// that would take memory beyond the limit, or a user beyond its quota, it has the log evict as much. On every node it
// tells the others which items are read there, and follows what they tell.
//
// It promises that a victim's user had more than its guarantee, or nearly its quota, when it was chosen (the state
// machine checks that again, and that the item has not changed), and that what is used least on any node goes first.
// It never changes a state: victims are proposals in the log. It never decides whether a write is refused, and no
// write waits for another node's report.
package eviction
