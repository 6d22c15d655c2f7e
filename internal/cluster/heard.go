package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// heard remembers when this node last heard of each server, in whatever way: an answer to its Raft, a message, a
// question, a batch. One failed dial proves nothing; silence in every direction, towards everybody, does.
type heard struct {
	mu    sync.Mutex // all below
	begun time.Time  // before that there was nobody to hear anything
	last  map[string]time.Time
}

func newHeard() *heard { return &heard{begun: time.Now(), last: map[string]time.Time{}} }

func (h *heard) note(server string) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.last[server]; !known && len(h.last) >= 1000 {
		clear(h.last) // names of servers that are none
		h.begun = now
	}
	h.last[server] = now
}

// silence is for how long nothing was heard.
func (h *heard) silence(server string) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.last[server]
	if last.Before(h.begun) {
		last = h.begun
	}
	return time.Since(last)
}

// silentHere is for how long this node has heard nothing of a server, which is asked now if its process holds a
// claim here.
func (n *Node) silentHere(server string) time.Duration {
	if n.listener != nil && n.listener.Claimed(server) {
		n.heard.note(server)
	}
	return n.heard.silence(server)
}

// fallsSilent waits for a second in which this node hears nothing of a server; false: it hears of it all the time.
func (n *Node) fallsSilent(ctx context.Context, server string) bool {
	const enough = time.Second
	for end := time.Now().Add(2 * enough); n.silentHere(server) < enough; {
		if time.Now().After(end) || pause(ctx) != nil {
			return false
		}
	}
	return true
}

// isGone returns nil if a server can be taken for gone: neither this node nor any voter that answers has heard of
// it for as long as silence says, and these are a majority.
func (n *Node) isGone(ctx context.Context, server string) error {
	if n.silentHere(server) < silence {
		return fmt.Errorf("waiting whether %s, which it would replace, is gone: it was heard of in the last %v", server, silence)
	}
	others, selfVotes := n.voters()
	voters := len(others)
	count := 0
	if selfVotes {
		voters, count = voters+1, 1
	}
	type opinion struct {
		of     string
		silent time.Duration
		err    error
	}
	opinions := make(chan opinion, len(others))
	for _, id := range others {
		go func() {
			silent, err := n.askSilence(ctx, id, server)
			opinions <- opinion{id, silent, err}
		}()
	}
	var heardOf error
	for range others {
		o := <-opinions
		switch {
		case o.err != nil || o.of == server:
		case o.silent < silence:
			heardOf = fmt.Errorf("waiting whether %s, which it would replace, is gone: %s has heard of it in the last %v", server, o.of, silence)
		default:
			count++
		}
	}
	if heardOf == nil && count <= voters/2 {
		heardOf = fmt.Errorf("waiting whether %s, which it would replace, is gone: %d of %d voters answer", server, count, voters)
	}
	return heardOf
}

// askSilence asks a voter for how long it has heard nothing of a server. One of the release before does not know,
// and has no objection.
func (n *Node) askSilence(ctx context.Context, voter, server string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*aliveTimeout) // it may ask first
	defer cancel()
	a, err := n.ask(ctx, voter, question{Silence: &silenceQuestion{ServerID: server}})
	switch {
	case err != nil:
		return 0, err
	case a.Silence == nil:
		return silence, nil
	}
	return time.Duration(a.Silence.MS) * time.Millisecond, nil
}
