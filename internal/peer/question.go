package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"time"
)

// Question is a kind of question that a node asks another: Q is what it asks, A the answer. On the wire a question
// is {"Name": Q} and its answer {"Name": A}, or {"Error": "why not"}. Fields may be added to Q and A: a node leaves
// out and skips what it does not know. A name is never reused for something else.
type Question[Q, A any] struct {
	Name string
	// Strangers may ask too, not only servers of the configuration: a node must be able to ask before it is one, or
	// when it does not know that it no longer is.
	Strangers bool
	// Slow is for a question whose answer takes long: it gets its own connection, so that no other waits for it.
	Slow bool
	// Own is for a question that is asked often, and that others should not wait for: it keeps a connection of its own.
	Own bool
}

// Reply is the outcome of a question to one node.
type Reply[A any] struct {
	From   string // the node as it was asked: a name or a server id
	Answer A
	Err    error
}

// AnswerError is the answer of a node that read the question but cannot answer it.
type AnswerError struct{ Text string }

func (e *AnswerError) Error() string { return e.Text }

// errUnknown answers a question that this release does not know.
var errUnknown = errors.New("unknown question: this node runs an older release")

// IsUnknown reports whether it is that of a node whose release does not know the question.
func IsUnknown(e *AnswerError) bool { return e.Text == errUnknown.Error() }

// answerer answers one kind of question, undecoded.
type answerer struct {
	strangers bool
	answer    func(from Identity, question json.RawMessage) (any, error)
}

// Answer sets f to answer the question here. It is called from several goroutines at once.
func (k Question[Q, A]) Answer(n *Network, f func(from Identity, q Q) (A, error)) {
	n.answers[k.Name] = answerer{k.Strangers, func(from Identity, raw json.RawMessage) (any, error) {
		var q Q
		if err := json.Unmarshal(raw, &q); err != nil {
			return nil, err
		}
		return f(from, q)
	}}
}

// Ask asks one node, by name or server id; it may be this one. The error is an *AnswerError if the node has no
// answer.
func (k Question[Q, A]) Ask(ctx context.Context, n *Network, to string, q Q) (answer A, err error) {
	return k.ask(ctx, context.Background(), n, to, q)
}

// ask is Ask, but gives up if wanted ends before the question is sent.
func (k Question[Q, A]) ask(ctx, wanted context.Context, n *Network, to string, q Q) (answer A, err error) {
	if to == n.Self.ServerID {
		return k.askSelf(n, q)
	}
	n.counts.asked.Add(1)
	question := map[string]any{k.Name: q}
	var got map[string]json.RawMessage
	switch {
	case k.Slow:
		c := n.newClient(to)
		defer c.Close()
		defer context.AfterFunc(n.ctx, c.Close)()
		err = c.Call(ctx, question, &got)
	case k.Own:
		err = n.client(to, k.Name).call(ctx, wanted, question, &got)
	default:
		err = n.client(to, "").call(ctx, wanted, question, &got)
	}
	if err != nil {
		n.counts.unanswered.Add(1)
		return answer, err
	}
	raw := got[k.Name]
	if raw == nil || string(raw) == "null" {
		refusal := &AnswerError{}
		_ = json.Unmarshal(got["Error"], &refusal.Text) // without one the text is empty
		return answer, refusal
	}
	return answer, json.Unmarshal(raw, &answer)
}

func (k Question[Q, A]) askSelf(n *Network, q Q) (answer A, err error) {
	raw, err := json.Marshal(q)
	if err != nil {
		return answer, err
	}
	got, err := n.answers[k.Name].answer(n.Self, raw)
	if err != nil {
		return answer, &AnswerError{err.Error()}
	}
	return got.(A), nil
}

// AskAll asks nodes at once, by names or server ids, and yields the replies as they arrive, each after limit at the
// latest. When the loop ends early, a question that has been sent continues, as ending it costs its connection; one
// that still waits for the connection is given up, so that questions never pile up for a slow node.
func (k Question[Q, A]) AskAll(ctx context.Context, n *Network, to []string, q Q, limit time.Duration) iter.Seq[Reply[A]] {
	return func(yield func(Reply[A]) bool) {
		wanted, leave := context.WithCancel(ctx)
		defer leave()
		replies := make(chan Reply[A], len(to))
		for _, node := range to {
			if !n.begin() {
				replies <- Reply[A]{From: node, Err: net.ErrClosed}
				continue
			}
			go func() {
				defer n.wg.Done()
				ctx, cancel := context.WithTimeout(ctx, limit)
				defer cancel()
				a, err := k.ask(ctx, wanted, n, node, q)
				replies <- Reply[A]{node, a, err}
			}()
		}
		for range to {
			if !yield(<-replies) {
				return
			}
		}
	}
}

// serveQuestions is the Handler of KindQuery.
func (n *Network) serveQuestions(conn net.Conn, from Identity) {
	ServeQueries(conn, n.budget, func(question map[string]json.RawMessage) map[string]any {
		n.Heard.Note(from.ServerID)
		name, answer, err := n.answer(from, question)
		if err != nil {
			return map[string]any{"Error": err.Error()}
		}
		return map[string]any{name: answer}
	})
}

func (n *Network) answer(from Identity, question map[string]json.RawMessage) (name string, answer any, err error) {
	for name, raw := range question {
		a, known := n.answers[name]
		switch {
		case !known:
		case !a.strangers && !n.IsServer(from.ServerID):
			return name, nil, fmt.Errorf("%s is not in the configuration of %s: ask a node that is", from.ServerID, n.Self.Node)
		default:
			answer, err := a.answer(from, raw)
			return name, answer, err
		}
	}
	return "", nil, errUnknown
}
