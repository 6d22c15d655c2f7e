package peerstate

import (
	"strings"
	"testing"
)

// What other hosts say is shown in lines, and is bounded.
func TestReasonsAreOneLine(t *testing.T) {
	p := New(nil, nil, nil, nil)
	p.Set(Status{Name: "n2", Reason: "a\nEND\xff\x1b[2J" + strings.Repeat("é", 1000)})
	got := p.Of("n2").Reason
	if !strings.HasPrefix(got, "a?END??[2Jé") || len(got) > reasonLimit+3 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	if got := (&State{Role: "x\ny"}).role(); got != "follower" {
		t.Errorf("role %q", got)
	}
}
