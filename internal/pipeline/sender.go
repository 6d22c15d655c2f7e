package pipeline

import (
	"context"
	"time"

	"ciderd/internal/fsm"
)

const (
	// retryDelay is the pause between two tries to find a leader that takes batches. A change of the leader wakes
	// the sender earlier.
	retryDelay = 10 * time.Millisecond
	// stallCheck is how often an idle sender checks whether the window has stalled.
	stallCheck = 250 * time.Millisecond
)

// Run sends until ctx ends. It is the only goroutine that makes batches and uses the sink.
func (p *Pipeline) Run(ctx context.Context) {
	s := sender{Pipeline: p, timer: time.NewTimer(time.Hour)}
	defer s.timer.Stop()
	for ctx.Err() == nil {
		s.step(ctx)
	}
	s.drop("stopping")
}

type sender struct {
	*Pipeline
	sink  Sink
	timer *time.Timer
}

// step sends one batch, or waits for a reason to look again.
func (s *sender) step(ctx context.Context) {
	if s.sink != nil && s.sink.Leader() != s.config.Leader() {
		s.drop("the leader changed")
	}
	if !s.hasWork() {
		s.sleep(ctx, stallCheck)
		return
	}
	if s.sink == nil && !s.connect(ctx) {
		s.retryLater(ctx)
		return
	}
	b, wait := s.next(time.Now())
	if b == nil {
		s.sleep(ctx, wait)
		return
	}
	if err := s.sink.Send(b); err != nil {
		s.drop(err.Error())
		s.retryLater(ctx)
		return
	}
	s.mu.Lock()
	if b.sent {
		s.counts.Resent++
	}
	b.sent = true
	if b.incarnation == s.incarnation { // else it was renewed meanwhile
		s.sentTo = max(s.sentTo, b.sequence)
	}
	s.mu.Unlock()
}

func (s *sender) hasWork() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.intake.empty() || len(s.window) > 0
}

// retryLater waits for another leader, or a moment. New proposals do not shorten it: with a thousand clients that
// would be a busy loop.
func (s *sender) retryLater(ctx context.Context) {
	s.timer.Reset(retryDelay)
	select {
	case <-s.leaderChanged:
	case <-s.timer.C:
	case <-ctx.Done():
	}
}

// sleep waits until there may be more to send, at most for d.
func (s *sender) sleep(ctx context.Context, d time.Duration) {
	var broken <-chan struct{}
	if s.sink != nil {
		broken = s.sink.Broken()
	}
	s.timer.Reset(d)
	select {
	case <-s.wake:
	case <-s.leaderChanged:
	case <-broken:
		s.drop("the way to the leader broke")
	case <-s.timer.C:
	case <-ctx.Done():
	}
}

// connect opens a sink to the leader.
func (s *sender) connect(ctx context.Context) bool {
	sink, err := s.config.Open(ctx)
	if err != nil {
		s.config.Log.Debug("no way to the leader yet", "error", err)
		return false
	}
	s.sink = sink
	s.mu.Lock()
	s.haveSink = true
	s.progress = time.Now()
	s.mu.Unlock()
	return true
}

// drop closes the sink; the whole window will be sent again through the next one.
func (s *sender) drop(reason string) {
	if s.sink == nil {
		return
	}
	s.config.Log.Debug("dropping the way to the leader", "leader", s.sink.Leader(), "reason", reason)
	s.sink.Close()
	s.sink = nil
	s.mu.Lock()
	s.haveSink, s.sentTo = false, 0
	s.mu.Unlock()
}

// next returns the batch to send now, or how long to wait at most before calling it again. It is called only while
// there is a sink: proposals that are in no batch can still be answered that nothing was done.
func (s *sender) next(now time.Time) (*Batch, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.window {
		if b.sequence > s.sentTo {
			return b, 0
		}
	}
	if len(s.window) > 0 && now.Sub(s.progress) > stallTimeout {
		s.config.Log.Warn("no progress on the way to the leader, sending again", "leader", s.sink.Leader())
		s.progress, s.sentTo = now, 0
		return s.window[0], 0
	}
	if wait := s.holdBack(now); wait > 0 {
		return nil, wait
	}
	return s.form(), 0
}

// holdBack returns how long the waiting proposals should not be made into a batch yet; 0: now.
func (s *sender) holdBack(now time.Time) time.Duration {
	full := s.intake.commands >= maxBatchCommands || s.intake.bytes >= maxBatchBytes
	switch {
	case s.intake.empty(), len(s.window) >= maxWindow, s.windowBytes >= maxWindowBytes:
		return stallCheck
	case full:
		return 0
	case len(s.window) > 0:
		if s.intake.commands >= worthCommands || s.intake.bytes >= worthBytes {
			return 0
		}
		return stallCheck
	case s.intake.commands >= s.expected:
		return 0
	}
	return s.delay.left(now, s.intake.commands)
}

// form makes a batch of the waiting proposals.
func (s *sender) form() *Batch {
	s.delay = delay{}
	taken, total := s.intake.take()
	b := &Batch{incarnation: s.incarnation, sequence: s.sequence + 1, count: total.commands, proposals: taken, made: time.Now()}
	parts := make([][]byte, len(taken))
	version := 0
	for i, p := range taken {
		version = max(version, p.version)
		parts[i], p.commands = p.commands, nil
	}
	s.sequence++
	b.entry = fsm.AppendBatch(make([]byte, 0, total.bytes+64+len(s.config.Origin)), fsm.Header{
		Version: byte(version), Origin: []byte(s.config.Origin), Incarnation: s.incarnation, Sequence: b.sequence,
		Count: total.commands,
	}, parts...)
	if len(s.window) == 0 {
		s.progress = b.made
	}
	s.sizes.Observe(int64(total.commands))
	s.counts.Batches++
	s.counts.Commands += uint64(total.commands)
	s.window = append(s.window, b)
	s.windowBytes += len(b.entry)
	return b
}
