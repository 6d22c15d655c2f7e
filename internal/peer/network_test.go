package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

var echo = Question[string, string]{Name: "Echo"}

// twoNetworks are alice's and bob's, each with a port. alice asks, bob answers.
func twoNetworks(t *testing.T) (a, b *Network) { t.Helper(); return networksWith(t, nil, nil) }

// networksWith are alice's and bob's with a Security for each.
func networksWith(t *testing.T, alices, bobs *Security) (a, b *Network) {
	t.Helper()
	var members Members
	var listeners []net.Listener
	for _, id := range []Identity{alice, bob} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		members = append(members, Member{Name: id.Node, Address: l.Addr().String()})
	}
	a = NewNetwork(alice, members, NewBook(nil, nil), hclog.NewNullLogger())
	b = NewNetwork(bob, members, NewBook(nil, nil), hclog.NewNullLogger())
	a.Security, b.Security = alices, bobs
	for i, n := range []*Network{a, b} {
		n.IsServer = func(id string) bool { return id == alice.ServerID }
		n.Listen(listeners[i], Rules{}).Start()
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return a, b
}

// A question is answered by another node and by this one in the same way, errors too; bob, who is in no
// configuration, gets answers to strangers' questions only.
func TestQuestions(t *testing.T) {
	a, b := twoNetworks(t)
	open := Question[string, string]{Name: "Open", Strangers: true, Slow: true}
	for _, n := range []*Network{a, b} {
		answer := func(from Identity, q string) (string, error) {
			if q == "no" {
				return "", errors.New("cannot say")
			}
			return fmt.Sprint(from.ServerID, " asks ", n.Self.Node, ": ", q), nil
		}
		echo.Answer(n, answer)
		open.Answer(n, answer)
	}
	unknown := Question[string, string]{Name: "Unknown"}
	for _, x := range []struct {
		from    *Network
		k       Question[string, string]
		to, q   string
		answer  string
		failure string
	}{
		{a, echo, "bob", "x", "alice/11aa asks bob: x", ""},
		{a, echo, "bob/22bb", "x", "alice/11aa asks bob: x", ""},
		{a, open, "bob", "x", "alice/11aa asks bob: x", ""},
		{a, echo, "alice/11aa", "x", "alice/11aa asks alice: x", ""},
		{a, echo, "bob", "no", "", "cannot say"},
		{a, echo, "alice/11aa", "no", "", "cannot say"},
		{a, unknown, "bob", "x", "", "unknown question: this node runs an older release"},
		{b, echo, "alice", "x", "", "bob/22bb is not in the configuration of alice: ask a node that is"},
		{b, open, "alice", "x", "bob/22bb asks alice: x", ""},
	} {
		got, err := x.k.Ask(t.Context(), x.from, x.to, x.q)
		var cannot *AnswerError
		if got != x.answer || (err != nil) != (x.failure != "") || err != nil && (!errors.As(err, &cannot) || cannot.Text != x.failure) {
			t.Errorf("%s asks %s %s %q: %q, %v; want %q, %q", x.from.Self.Node, x.to, x.k.Name, x.q, got, err, x.answer, x.failure)
		}
	}
	if _, err := echo.Ask(t.Context(), a, "carol", "x"); err == nil || errors.As(err, new(*AnswerError)) {
		t.Errorf("a node that is none: %v", err)
	}
	if s := a.Stats(); s.Asked == 0 || s.Unanswered != 1 || s.Accepted == 0 || s.Rejected != 0 {
		t.Errorf("counted %+v", s)
	}
}

// On the wire a question is one field with its name, and so is its answer: all releases rely on it.
func TestQuestionOnTheWire(t *testing.T) {
	a, b := twoNetworks(t)
	echo.Answer(b, func(_ Identity, q string) (string, error) { return q, nil })
	c := a.newClient("bob")
	defer c.Close()
	for question, want := range map[string]string{
		`{"Echo":"x"}`: `{"Echo":"x"}`, `{"Later":{}}`: `{"Error":"unknown question: this node runs an older release"}`,
		`{}`: `{"Error":"unknown question: this node runs an older release"}`, `{"Echo":"x","Later":{}}`: `{"Echo":"x"}`,
	} {
		var got json.RawMessage
		if err := c.Call(t.Context(), json.RawMessage(question), &got); err != nil || string(got) != want {
			t.Errorf("%s is answered %s, %v; want %s", question, got, err, want)
		}
	}
}

// All are asked at once, one that hangs keeps nobody from the other's reply, and Close ends what is left.
func TestAskAll(t *testing.T) {
	a, b := twoNetworks(t)
	hang := make(chan struct{})
	echo.Answer(a, func(_ Identity, q string) (string, error) { return q, nil })
	echo.Answer(b, func(_ Identity, q string) (string, error) { <-hang; return q, nil })
	defer close(hang)
	both := []string{"alice/11aa", "bob"}
	for r := range echo.AskAll(t.Context(), a, both, "x", time.Hour) {
		if r.From != "alice/11aa" || r.Answer != "x" || r.Err != nil {
			t.Errorf("first: %+v", r)
		}
		break // bob is still asked
	}
	late := 0
	for r := range echo.AskAll(t.Context(), a, both, "x", 50*time.Millisecond) {
		if r.From == "bob" && errors.Is(r.Err, context.DeadlineExceeded) {
			late++
		}
	}
	if late != 1 {
		t.Errorf("%d of one are late", late)
	}
	if err := a.Close(); err != nil { // does not wait for an hour
		t.Error(err)
	}
	for r := range echo.AskAll(t.Context(), a, both[1:], "x", time.Hour) {
		if !errors.Is(r.Err, net.ErrClosed) {
			t.Errorf("after Close: %+v", r)
		}
	}
	if _, err := echo.Ask(t.Context(), a, "bob", "x"); err == nil || !strings.Contains(err.Error(), net.ErrClosed.Error()) {
		t.Errorf("after Close: %v", err)
	}
}

// Rounds that are satisfied by the faster node leave nothing behind in front of the slower one: other questions to it
// are answered.
func TestRoundsDoNotPileUp(t *testing.T) {
	a, b := twoNetworks(t)
	other := Question[string, string]{Name: "Other"}
	var asked atomic.Int64
	release := make(chan struct{}, 1000)
	echo.Answer(a, func(_ Identity, q string) (string, error) { return q, nil })
	echo.Answer(b, func(_ Identity, q string) (string, error) { asked.Add(1); <-release; return q, nil })
	other.Answer(b, func(_ Identity, q string) (string, error) { return q, nil })
	for range 500 { // of which one has been sent
		for r := range echo.AskAll(t.Context(), a, []string{"alice/11aa", "bob"}, "x", time.Hour) {
			if r.From == "alice/11aa" {
				break
			}
		}
	}
	for range 2 { // the one that hangs; and one that got the connection as its round was left, perhaps
		release <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if got, err := other.Ask(ctx, a, "bob", "y"); got != "y" || err != nil {
		t.Errorf("%q, %v, after %d questions", got, err, asked.Load())
	}
	if n := asked.Load(); n > 2 {
		t.Errorf("%d questions of rounds that were over have been sent", n)
	}
	close(release)
}
