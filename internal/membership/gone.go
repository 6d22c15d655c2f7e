package membership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
)

// fallsSilent waits for a second in which this node hears nothing from a server; false: it keeps hearing it.
func (b *base) fallsSilent(ctx context.Context, server string) bool {
	const enough = time.Second
	for end := time.Now().Add(2 * enough); b.Network.Silence(server) < enough; {
		if time.Now().After(end) || pause(ctx) != nil {
			return false
		}
	}
	return true
}

// isGone returns nil if a server counts as gone: neither this node nor any voter that answers has heard of it for
// the duration of silence, and these are a majority.
func (b *base) isGone(ctx context.Context, server string) error {
	if b.Network.Silence(server) < silence {
		return fmt.Errorf("waiting whether %s, which it would replace, is gone: it was heard of in the last %v", server, silence)
	}
	others, selfVotes := b.voters()
	voters := len(others)
	count := 0
	if selfVotes {
		voters, count = voters+1, 1
	}
	var heardOf error
	for r := range silenceQuestion.AskAll(ctx, b.Network, others, silentServer{server}, askSilence) {
		var cannot *peer.AnswerError
		silent := time.Duration(r.Answer.MS) * time.Millisecond
		switch {
		case r.From == server:
		case errors.As(r.Err, &cannot): // an older release, which does not know: it has no objection
			count++
		case r.Err != nil:
		case silent < silence:
			heardOf = fmt.Errorf("waiting whether %s, which it would replace, is gone: %s has heard of it in the last %v", server, r.From, silence)
		default:
			count++
		}
	}
	if heardOf == nil && count <= voters/2 {
		heardOf = fmt.Errorf("waiting whether %s, which it would replace, is gone: %d of %d voters answer", server, count, voters)
	}
	return heardOf
}

// askSilence is how long a voter has to say what it has heard: it may have to ask first.
const askSilence = 4 * peerstate.OneTimeout
