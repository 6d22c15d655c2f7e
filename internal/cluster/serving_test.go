package cluster

import (
	"testing"

	"github.com/hashicorp/go-hclog"
)

// The state is let go of only while nobody is served from it; and from then on nobody is, whatever else comes to be so,
// until another one is there.
func TestMakeWay(t *testing.T) {
	s := &serving{log: hclog.NewNullLogger()}
	s.caughtUp.Store(true)
	if s.makeWay() || !s.ready() {
		t.Errorf("of a node that serves: made way, or ready is %v", s.ready())
	}
	s.withdraw("it differs")
	if !s.makeWay() {
		t.Error("a node that was withdrawn serves nobody, and makes no way")
	}
	if s.serveAgain(); s.ready() {
		t.Error("it serves from a state that is gone")
	}
	s.emptied.Store(false) // as Node.restored does
	if !s.ready() {
		t.Error("it does not serve from the state that was restored")
	}
	starting := &serving{log: hclog.NewNullLogger()}
	if !starting.makeWay() || starting.ready() {
		t.Error("a node that has not caught up makes no way")
	}
	if starting.caughtUp.Store(true); starting.ready() {
		t.Error("it has caught up with a state that is gone, and serves")
	}
}
