package accounts

import "sync/atomic"

// Stats is what has become of accounts on this node since it started.
type Stats struct {
	Made     uint64 // accounts, by clients and operators
	LoggedIn uint64 // logins that were right
	Wrong    uint64 // passwords that were wrong, or of an unknown user
	Busy     uint64 // logins that were not looked at, as too many wait
	Unlooked uint64 // logins that were not looked at for another reason: loading, or the client has gone
	Changed  uint64 // passwords
	Removed  uint64 // accounts
}

// counts is counted where bcrypt or the log has been waited for, so what it costs does not show.
type counts struct{ made, loggedIn, wrong, busy, unlooked, changed, removed atomic.Uint64 }

// Stats returns the counts so far.
func (a *Accounts) Stats() Stats {
	c := &a.counts
	return Stats{
		Made: c.made.Load(), LoggedIn: c.loggedIn.Load(), Wrong: c.wrong.Load(), Busy: c.busy.Load(), Unlooked: c.unlooked.Load(),
		Changed: c.changed.Load(), Removed: c.removed.Load(),
	}
}
