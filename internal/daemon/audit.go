package daemon

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/accounts"
)

// The log tells of so many failed logins in a window, of all addresses and of each. Of the others it tells the number:
// somebody who guesses must neither fill the log nor hide others in it.
const (
	failureWindow  = time.Minute
	failuresInAll  = 60
	failuresOfEach = 5
)

// failedLogins tells the log of wrong passwords: where they come from and of which user. A name that no user has is left
// out: people type passwords where their name belongs.
type failedLogins struct {
	log hclog.Logger

	mu    sync.Mutex     // all below
	until time.Time      // end of the window
	said  map[string]int // in this window, by address
	lines int            // the same of all
	left  int            // failures that were not told
}

func newFailedLogins(log hclog.Logger) *failedLogins { return &failedLogins{log: log} }

// tell is called with each. It does not wait.
func (f *failedLogins) tell(failure accounts.Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if !now.Before(f.until) {
		f.end()
		f.until, f.said, f.lines = now.Add(failureWindow), map[string]int{}, 0
	}
	if f.lines >= failuresInAll || f.said[failure.Addr] >= failuresOfEach {
		if f.left++; f.left == 1 {
			time.AfterFunc(time.Until(f.until), f.close)
		}
		return
	}
	f.lines++
	f.said[failure.Addr]++
	user := failure.Name
	if user == "" {
		user = "(none of that name)"
	}
	f.log.Info("audit", "failed", failure.What, "address", failure.Addr, "user", user)
}

// close tells how many were left out. A later window may have begun meanwhile: then they are of that one, too.
func (f *failedLogins) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end()
}

// end must be called with mu held.
func (f *failedLogins) end() {
	if f.left > 0 {
		f.log.Info("audit", "failed", "more passwords, of which the log does not tell one by one", "count", f.left)
		f.left = 0
	}
}
