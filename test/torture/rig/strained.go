package rig

import "ciderd/test/torture/judge"

// Strained is said before something is done that puts nodes in trouble.
func Strained(s judge.Strain, nodes ...*Node) {
	for _, n := range nodes {
		if judge.Strain(n.Level.Load()) < s {
			n.Level.Store(int32(s))
		}
	}
}
