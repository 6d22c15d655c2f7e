package backup

import (
	"context"
	"fmt"
	"time"

	"ciderd/internal/backup/archive"
	"ciderd/internal/fsm"
)

const (
	// What is proposed at a time. A single item may be larger.
	groupBytes    = 256 << 10
	groupCommands = 1024
	// window is how many groups are on their way at most.
	window = 4

	// A group without a result is sent again, for as long as retryFor: the leader may have died. That is harmless, as each
	// command that a restore sends may be applied twice.
	retryFor  = time.Minute
	retryWait = 200 * time.Millisecond
)

// sender brings commands into the log, in groups. Its order is that of one user: begin, ids and items, end.
type sender struct {
	ctx     context.Context
	propose func(fsm.Group) (wait func() ([]fsm.Result, error))
	partial bool
	group   fsm.Group
	holds   []archive.Totals // what each command of group brings
	sent    []sentGroup      // oldest first
	skipped archive.Totals   // what did not fit
}

type sentGroup struct {
	group fsm.Group
	holds []archive.Totals
	wait  func() ([]fsm.Result, error)
}

// add takes a command over, which brings that much. Its result, or an earlier one's, may be the error.
func (s *sender) add(c *fsm.Command, brings archive.Totals) error {
	// Encoding takes a few numbers beside the texts.
	if size := 64 + len(c.Arg) + len(c.Key) + len(c.Value); s.group.Count == groupCommands || s.group.Count > 0 && len(s.group.Commands)+size > groupBytes {
		if err := s.send(); err != nil {
			return err
		}
	}
	s.group.User = c.User
	s.group.Append(c)
	s.holds = append(s.holds, brings)
	return nil
}

// send sends what has been collected.
func (s *sender) send() error {
	if s.group.Count == 0 {
		return nil
	}
	if len(s.sent) == window {
		if err := s.oldest(); err != nil {
			return err
		}
	}
	s.sent = append(s.sent, sentGroup{s.group, s.holds, s.propose(s.group)})
	s.group, s.holds = fsm.Group{}, nil
	return nil
}

// flush returns once all that was added has been applied.
func (s *sender) flush() error {
	if err := s.send(); err != nil {
		return err
	}
	for len(s.sent) > 0 {
		if err := s.oldest(); err != nil {
			return err
		}
	}
	return nil
}

// oldest waits for the group that has been on its way longest.
func (s *sender) oldest() error {
	first := s.sent[0]
	s.sent = s.sent[1:]
	results, err := s.results(first)
	if err != nil {
		return err
	}
	for i, r := range results {
		switch {
		case r.Kind == fsm.KindOK, r.Kind == fsm.KindExists:
		case s.partial && (r.Kind == fsm.KindQuota || r.Kind == fsm.KindAtLimit):
			s.skipped.Items += first.holds[i].Items
			s.skipped.Replies += first.holds[i].Replies
			s.skipped.Bytes += first.holds[i].Bytes
		default:
			return why(r.Kind)
		}
	}
	return nil
}

// one has a single command applied.
func (s *sender) one(c fsm.Command) (fsm.Result, error) {
	g := fsm.NewGroup(c)
	results, err := s.results(sentGroup{group: g, wait: s.propose(g)})
	if err != nil || len(results) != 1 {
		return fsm.Result{}, err
	}
	return results[0], nil
}

// results waits for a group, and sends it again until it has results.
func (s *sender) results(g sentGroup) ([]fsm.Result, error) {
	for begun := time.Now(); ; g.wait = s.propose(g.group) {
		results, err := g.wait()
		switch {
		case err == nil:
			return results, nil
		case s.ctx.Err() != nil:
			return nil, context.Cause(s.ctx)
		case time.Since(begun) > retryFor:
			return nil, fmt.Errorf("no result for %v: %w", retryFor, err)
		}
		select {
		case <-time.After(retryWait):
		case <-s.ctx.Done():
			return nil, context.Cause(s.ctx)
		}
	}
}
