package peer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// replaced is a Security with connections that do nothing, and what is closed of them.
type replaced struct {
	*Security
	start time.Time
	again bool // a closed one is made again at once, as the mode wants it

	mu     sync.Mutex
	closed []string
}

func (r *replaced) connect(node string, encrypted, dialled bool) *connection {
	c := &connection{node: node, encrypted: encrypted, dialled: dialled}
	c.close = func() {
		r.mu.Lock()
		r.closed = append(r.closed, fmt.Sprintf("%s %v", node, time.Since(r.start).Round(time.Second)))
		r.mu.Unlock()
		if r.again {
			go r.connect(node, r.Mode() != Off, dialled)
		}
	}
	_ = r.add(c)
	return c
}

// take returns what has been closed since the last time, and when.
func (r *replaced) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.closed)
	text := strings.Join(r.closed, ", ")
	r.closed = nil
	return text
}

// replacing runs test while connections are replaced.
func replacing(t *testing.T, mode Mode, test func(*testing.T, *replaced)) {
	synctest.Test(t, func(t *testing.T) {
		r := &replaced{Security: NewSecurity(nil, mode), again: true, start: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { r.replace(ctx, hclog.NewNullLogger()) })
		test(t, r)
		cancel()
		wg.Wait()
	})
}

// set changes the mode and lets a minute pass.
func (r *replaced) set(m Mode) {
	r.start = time.Now()
	r.SetMode(m)
	time.Sleep(time.Minute)
	synctest.Wait()
}

// What does not fit the mode is closed one node's after the other, once, and what fits stays.
func TestReplace(t *testing.T) {
	replacing(t, Off, func(t *testing.T, r *replaced) {
		for _, node := range []string{"c", "a", "b"} {
			r.connect(node, false, true)
			r.connect(node, false, true)
			r.connect(node, false, false)
		}
		all := []string{"a", "b", "c"}
		for _, step := range []struct {
			mode      Mode
			want      string
			encrypted []string
		}{
			{Prefer, "a 0s, a 0s, b 1s, b 1s, c 2s, c 2s", nil}, // who has dialled them knows of the others
			{Require, "a 0s, b 1s, c 2s", all},
			{Prefer, "", all},
			{Off, "a 0s, a 0s, a 0s, b 1s, b 1s, b 1s, c 2s, c 2s, c 2s", nil},
			{Require, "a 0s, a 0s, a 0s, b 1s, b 1s, b 1s, c 2s, c 2s, c 2s", all},
		} {
			r.set(step.mode)
			if got := r.take(); got != step.want {
				t.Errorf("%v: closed %s, want %s", step.mode, got, step.want)
			}
			if got := r.Encrypted(); !slices.Equal(got, step.encrypted) {
				t.Errorf("%v: encrypted %q, want %q", step.mode, got, step.encrypted)
			}
		}
	})
}

// The next node's connections stay until this one is connected again, if that does not take too long.
func TestReplaceWaitsForANode(t *testing.T) {
	replacing(t, Off, func(t *testing.T, r *replaced) {
		r.again = false
		r.connect("a", false, true)
		r.connect("b", false, true)
		r.start = time.Now()
		r.SetMode(Require)
		time.Sleep(replaceLimit - time.Second)
		if got := r.take(); got != "a 0s" {
			t.Errorf("closed %s", got)
		}
		time.Sleep(2 * time.Second)
		if got := r.take(); got != "b 10s" && got != "b 11s" {
			t.Errorf("then closed %s", got)
		}
	})
}

// With Prefer a plain connection with a node that speaks no TLS stays, until the node connects with TLS.
func TestReplaceWhenANodeSpeaksTLS(t *testing.T) {
	replacing(t, Off, func(t *testing.T, r *replaced) {
		r.again = false
		r.SetMode(Prefer)
		time.Sleep(time.Second)
		r.notePlain("a")
		r.connect("a", false, true)
		r.connect("b", true, false)
		time.Sleep(time.Hour)
		if got := r.take(); got != "" {
			t.Errorf("closed %s", got)
		}
		r.start = time.Now()
		caller := r.connect("a", true, false)
		time.Sleep(time.Minute)
		if got := r.take(); got != "a 0s" && got != "a 1s" {
			t.Errorf("then closed %s", got)
		}
		r.remove(caller)
		if got := r.Encrypted(); !slices.Equal(got, []string{"b"}) {
			t.Errorf("encrypted: %q", got)
		}
	})
}

// No connection that does not fit the mode is opened after a change of it, whoever began it before.
func TestConnectionsOfTheModeBefore(t *testing.T) {
	s := NewSecurity(nil, Require)
	if err := s.add(&connection{node: "a"}); err == nil {
		t.Error("a plain one, with Require")
	}
	s.SetMode(Off)
	if err := s.add(&connection{node: "a", encrypted: true}); err == nil {
		t.Error("an encrypted one, with Off")
	}
	s.notePlain("b")
	s.SetMode(Prefer)
	if s.plainLately("b") {
		t.Error("what a node spoke before the change counts")
	}
	for _, encrypted := range []bool{false, true} {
		if err := s.add(&connection{node: "a", encrypted: encrypted}); err != nil {
			t.Errorf("encrypted %v, with Prefer: %v", encrypted, err)
		}
	}
	if got := s.Encrypted(); got != nil {
		t.Errorf("encrypted: %q", got)
	}
}

// Two networks change the mode while they ask each other: every question is answered, and Close ends what replaces.
func TestModeChangesOfNetworks(t *testing.T) {
	ca := newAuthority(t)
	a, b := networksWith(t, ca.of("alice", Off), ca.of("bob", Off))
	for _, n := range []*Network{a, b} {
		echo.Answer(n, func(_ Identity, q string) (string, error) { return q, nil })
		n.IsServer = func(string) bool { return true }
	}
	ask := func() {
		t.Helper()
		for _, n := range []*Network{a, b} {
			if got, err := echo.Ask(t.Context(), n, n.Others()[0], "x"); err != nil || got != "x" {
				t.Fatalf("%s asks: %q, %v", n.Self.Node, got, err)
			}
		}
	}
	ask()
	for _, mode := range []Mode{Prefer, Require, Prefer, Off} {
		for _, n := range []*Network{a, b} {
			n.Security.SetMode(mode)
			for end := time.Now().Add(2 * replaceEvery); time.Now().Before(end); time.Sleep(time.Millisecond) {
				ask()
			}
		}
		for end := time.Now().Add(helloTimeout); ; ask() {
			done := true
			for _, n := range []*Network{a, b} {
				s := n.Stats()
				done = done && len(n.Security.Encrypted()) == int(min(mode, 1)) && s.Encrypted == s.Connections*int(min(mode, 1))
			}
			if done {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%v: %q %+v, %q %+v", mode, a.Security.Encrypted(), a.Stats(), b.Security.Encrypted(), b.Stats())
			}
		}
	}
}
