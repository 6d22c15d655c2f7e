package faults

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"ciderd/test/torture/rig"
)

// What a machine cannot do is left out, loudly, and nothing else is.
func TestAble(t *testing.T) {
	var out strings.Builder
	left := Able(All(), map[rig.Need]error{rig.NeedTrace: errors.New("ptrace is off")}, &out)
	for _, f := range All() {
		takes := slices.Contains(Needs[f.Name], rig.NeedTrace)
		if takes == slices.ContainsFunc(left, func(g Fault) bool { return g.Name == f.Name }) {
			t.Errorf("%s takes strace: %v; it is left in: %v", f.Name, takes, !takes)
		}
		if takes != strings.Contains(out.String(), "!!!! LEFT OUT: "+f.Name+" ") {
			t.Errorf("%s takes strace: %v; said:\n%s", f.Name, takes, out.String())
		}
	}
	if !strings.Contains(out.String(), "ptrace is off") {
		t.Errorf("no word of why:\n%s", out.String())
	}
	if all := Able(All(), nil, io.Discard); len(all) != len(All()) {
		t.Errorf("%d of %d faults on a machine that lacks nothing", len(all), len(All()))
	}
}
