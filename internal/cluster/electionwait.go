package cluster

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	// A follower waits gapTimes as long as the longest gap that it has seen between two messages of its leader, at least
	// Timing.Heartbeat and at most longest times that.
	gapTimes, longest = 3, 3
	// gapsLast is for how long a gap counts, to twice that.
	gapsLast = 30 * time.Second
	// A change by less than a waitStep-th is left alone.
	waitStep = 8
)

// electionWait has this node, while it follows, wait longer before it asks for votes where the leader's messages come late
// because machines or disks are short of time: an election would make that worse. It returns to Timing.Heartbeat within a
// minute after that. Messages count when Raft here has answered them, so this node's own lateness is seen too.
//
// A node that leads always runs with Timing.Heartbeat, from which Raft also derives how often it sends. Its lease does not
// follow: Raft takes it once, at the start (raft.ReloadableConfig has none), and no longer than Heartbeat. A fleet whose
// leaders lose their lease needs the setting timeouts.election.
type electionWait struct {
	raft reloadable
	base Timing
	log  hclog.Logger

	mu         sync.Mutex
	term       uint64    // of the leader whose messages last and the gaps are about
	last       time.Time // when the latest was answered
	worst      time.Duration
	worstPast  time.Duration // of the period before
	turned     time.Time     // when the period began
	electionIn time.Duration // that Raft runs with
}

// reloadable is the part of Raft that electionWait changes. Its settings are read and written as a whole: one at a time.
type reloadable interface {
	tune(change func(c *raft.ReloadableConfig)) error
}

// answered notes that Raft has answered a message of this term's leader. A gap before a new term is not that leader's.
func (w *electionWait) answered(term uint64, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if term == w.term && !w.last.IsZero() {
		w.worst = max(w.worst, now.Sub(w.last))
	}
	w.term, w.last = term, now
}

// look adjusts how long Raft waits. It is called after changes of leadership, and every second.
func (w *electionWait) look(leads bool, now time.Time) {
	w.mu.Lock()
	if now.Sub(w.turned) >= gapsLast {
		w.worst, w.worstPast, w.turned = 0, w.worst, now
	}
	worst := max(w.worst, w.worstPast)
	wait := min(max(gapTimes*worst, w.base.Heartbeat), longest*w.base.Heartbeat)
	if leads {
		wait, w.last = w.base.Heartbeat, time.Time{} // what it hears next comes from a new leader
	}
	before := w.electionIn
	change := max(wait-before, before-wait)
	if change == 0 || change < before/waitStep && wait != w.base.Heartbeat {
		w.mu.Unlock()
		return
	}
	w.electionIn = wait
	w.mu.Unlock()
	err := w.raft.tune(func(c *raft.ReloadableConfig) {
		c.HeartbeatTimeout, c.ElectionTimeout = wait, wait+w.base.Election-w.base.Heartbeat
	})
	switch {
	case err != nil:
		w.log.Warn("cannot change how long an election waits", "error", err)
	case leads || worst == 0:
		w.log.Debug("waits as usual before an election", "election", wait.Round(time.Millisecond).String())
	case wait > before:
		w.log.Info("waits longer before an election: the leader's messages come late, so a machine or a disk is short of time",
			"election", wait.Round(time.Millisecond).String(), "gap", worst.Round(time.Millisecond).String())
	default:
		w.log.Info("waits less long before an election: the leader's messages come sooner", "election", wait.Round(time.Millisecond).String(), "gap", worst.Round(time.Millisecond).String())
	}
}

// waits returns how long this node hears nothing of a leader before it asks for votes.
func (w *electionWait) waits() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.electionIn
}
