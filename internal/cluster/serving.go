package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// serving knows whether this node serves clients, and if not, why. All methods may be called from any goroutine.
type serving struct {
	log       hclog.Logger
	caughtUp  atomic.Bool            // it has applied everything acknowledged when it started
	withdrawn atomic.Bool            // its state differs from the leader's
	disowned  atomic.Pointer[string] // why it is not known to be a member; nil: it is
	emptied   atomic.Bool            // its state is gone, until the one that is being restored is there

	waiting atomic.Pointer[string]
	said    saidLast
}

// ready reports whether reads here are served.
func (s *serving) ready() bool { return s.mayServe() && !s.emptied.Load() }

// mayServe is ready, but for a state that is gone.
func (s *serving) mayServe() bool {
	return s.caughtUp.Load() && !s.withdrawn.Load() && s.disowned.Load() == nil
}

// makeWay has nobody served from the state until it is restored, if nobody is now, and reports whether it could.
func (s *serving) makeWay() bool {
	// The mark first: whoever finds that it may serve sees the mark, or is seen here.
	s.emptied.Store(true)
	if s.mayServe() {
		s.emptied.Store(false)
		return false
	}
	return true
}

// CaughtUp reports whether the node has caught up after its start.
func (s *serving) CaughtUp() bool { return s.caughtUp.Load() }

// SetWaiting notes what this node waits for, and logs it once, and again when it changes.
func (s *serving) SetWaiting(reason string) {
	s.waiting.Store(&reason)
	if s.said.isNew(reason, time.Now()) {
		s.log.Info("not serving yet", "reason", reason)
	}
}

// why returns what this node waits for; empty: nothing that it knows of.
func (s *serving) why() string {
	if why := s.disowned.Load(); why != nil {
		return *why
	}
	if w := s.waiting.Load(); w != nil {
		return *w
	}
	return ""
}

func (s *serving) withdraw(reason string) {
	if !s.withdrawn.Swap(true) {
		s.log.Error("not serving: the states of two nodes differ, and it is not known which is right", "reason", reason)
	}
	s.SetWaiting(reason)
}

func (s *serving) serveAgain() {
	if s.withdrawn.CompareAndSwap(true, false) {
		s.SetWaiting("")
		s.log.Warn("serving again: this node's state is the right one")
	}
}

// Disown has this node stop serving: it is not known to be a member.
func (s *serving) Disown(why string) {
	if old := s.disowned.Swap(&why); old == nil || *old != why {
		s.log.Error("not serving: this node is not known to be a member of the cluster any more", "reason", why)
	}
}

// Own undoes Disown, once a leader confirms that this node is a member.
func (s *serving) Own() {
	if s.disowned.Swap(nil) != nil {
		s.log.Warn("serving again: a leader confirms that this node is a member")
	}
}

// saidLast keeps a recurring text from being logged more than once, and alternating texts from being logged more
// than once a second: such a text is logged the next time that it recurs.
type saidLast struct {
	mu   sync.Mutex // protects all below
	text string
	at   time.Time
}

func (s *saidLast) isNew(text string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case text == "":
		s.text = ""
		return false
	case text == s.text, now.Sub(s.at) < time.Second:
		return false
	}
	s.text, s.at = text, now
	return true
}
