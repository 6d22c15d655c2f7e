package auth

import (
	"math"
	"sync"
	"time"
)

const (
	rememberedFailures = 4096             // addresses, and as many users
	failureHalfLife    = 30 * time.Second // a score halves in this time
	firstDelay         = 100 * time.Millisecond
	maxDelay           = 1500 * time.Millisecond // long for a guesser, bearable for the owner of a guessed account
	forgottenScore     = 0.5
)

// failures remembers which addresses and users got passwords wrong lately. A client that has enough addresses, or
// makes up enough names, can have it forget others; but each costs a run of bcrypt, and the half that is never forgotten
// takes minutes of a core, in which a score is halved several times anyway.
//
// A score is the number of failures, halved every failureHalfLife. A success does not reset it: a guesser
// with an account of its own would use that.
type failures struct {
	mu     sync.Mutex // protects both maps
	byAddr *recent[string, score]
	byUser *recent[string, score]
}

type score struct {
	value float64
	at    time.Time
}

func newFailures() *failures {
	return &failures{
		byAddr: newRecent[string, score](rememberedFailures),
		byUser: newRecent[string, score](rememberedFailures),
	}
}

// record counts one failure of addr and of user, whether that user exists or not.
func (f *failures) record(addr, user string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range []struct {
		scores *recent[string, score]
		key    string
	}{{f.byAddr, addr}, {f.byUser, user}} {
		old, _ := m.scores.get(m.key)
		m.scores.put(m.key, score{value: old.decayed(now) + 1, at: now})
	}
}

// suspect reports whether addr has failed lately. Users are left out: otherwise guessing a name would be
// enough to push its owner's logins behind everybody else's.
func (f *failures) suspect(addr string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, _ := f.byAddr.get(addr)
	return s.decayed(now) >= forgottenScore
}

// delay is how long the next attempt of addr at user has to wait: firstDelay after one failure, doubled
// for each further one, up to maxDelay, and shrinking again with time.
func (f *failures) delay(addr, user string, now time.Time) time.Duration {
	f.mu.Lock()
	a, _ := f.byAddr.get(addr)
	u, _ := f.byUser.get(user)
	f.mu.Unlock()
	worst := max(a.decayed(now), u.decayed(now))
	if worst < forgottenScore {
		return 0
	}
	d := float64(firstDelay) * math.Exp2(worst-1)
	return time.Duration(min(d, float64(maxDelay)))
}

func (s score) decayed(now time.Time) float64 {
	if s.value == 0 {
		return 0
	}
	halvings := float64(now.Sub(s.at)) / float64(failureHalfLife)
	return s.value * math.Exp2(-max(0, halvings))
}
