package rig

import (
	"testing"

	"ciderd/test/torture/judge"
)

func TestStrainOnlyGrows(t *testing.T) {
	n := &Node{}
	Strained(judge.Departed, n)
	Strained(judge.Alone, n)
	if judge.Strain(n.Level.Load()) != judge.Departed {
		t.Error("strain has gone down")
	}
}
