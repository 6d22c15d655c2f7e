// Package faults owns the ways to break a cluster under load: how each is made, what it takes of the machine,
// and what must hold meanwhile.
//
// It promises that a fault says by rig.Strained, before it does something, which clients may notice, and that
// all its choices come from the round's random numbers. It never decides when a fault has its turn, nor judges
// what the clients were told in the end.
package faults
