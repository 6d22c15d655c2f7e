package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
)

// reportQuestion asks a node what it says of itself to operators. What that is, is not this package's to know.
var reportQuestion = peer.Question[struct{}, json.RawMessage]{Name: "Report", Own: true}

// OtherReport is what another node says of itself.
type OtherReport struct {
	Node, Address string
	Text          json.RawMessage // nil: nothing, for the reason
	Reason        string
	Older         bool // it answers, but its release does not know the question
	Took          time.Duration
}

// Reports is what nodes say of themselves, to each other's operators.
type Reports struct {
	// Tell returns what this node says of itself; nil: it is not that far yet. It may be called from any goroutine.
	Tell func() json.RawMessage

	network *peer.Network // once the node is open
}

// answer has a node say what it says of itself.
func (r *Reports) answer(n *peer.Network) {
	r.network = n
	reportQuestion.Answer(n, func(peer.Identity, struct{}) (json.RawMessage, error) {
		if text := r.Tell(); text != nil {
			return text, nil
		}
		return nil, errors.New("this node is starting")
	})
}

// Ask asks all other nodes of the file what they say of themselves, a second at most. The node must be open.
func (r *Reports) Ask(ctx context.Context) (all []OtherReport) {
	n, began := r.network, time.Now()
	for said := range reportQuestion.AskAll(ctx, n, n.Others(), struct{}{}, peerstate.OneTimeout) {
		address, _ := n.Members.Address(said.From) // of the file, so it is there
		o := OtherReport{Node: said.From, Address: address, Text: said.Answer, Took: time.Since(began)}
		var refusal *peer.AnswerError
		switch {
		case errors.As(said.Err, &refusal):
			o.Reason, o.Older = refusal.Text, peer.IsUnknown(refusal)
		case said.Err != nil:
			o.Reason = n.Reason(said.Err, said.From, peerstate.OneTimeout)
		}
		all = append(all, o)
	}
	return all
}
