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

// answerReports has this node say what it says of itself.
func (n *Node) answerReports() {
	reportQuestion.Answer(n.network, func(peer.Identity, struct{}) (json.RawMessage, error) {
		if n.config.Tell == nil {
			return nil, errors.New("this node says nothing of itself")
		}
		text := n.config.Tell()
		if text == nil {
			return nil, errors.New("this node is starting")
		}
		return text, nil
	})
}

// AskReports asks all other nodes of the file what they say of themselves, a second at most.
func (n *Node) AskReports(ctx context.Context) (all []OtherReport) {
	began := time.Now()
	for r := range reportQuestion.AskAll(ctx, n.network, n.network.Others(), struct{}{}, peerstate.OneTimeout) {
		address, _ := n.network.Members.Address(r.From) // of the file, so it is there
		o := OtherReport{Node: r.From, Address: address, Text: r.Answer, Took: time.Since(began)}
		var refusal *peer.AnswerError
		switch {
		case errors.As(r.Err, &refusal):
			o.Reason, o.Older = refusal.Text, peer.IsUnknown(refusal)
		case r.Err != nil:
			o.Reason = n.network.Reason(r.Err, r.From, peerstate.OneTimeout)
		}
		all = append(all, o)
	}
	return all
}
