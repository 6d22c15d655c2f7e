package daemon

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/accounts"
)

// A flood from one address leaves room for others, and the log tells how much it leaves out.
func TestFailedLoginsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		f := newFailedLogins(hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true}))
		lines := func() []string {
			synctest.Wait()
			f.mu.Lock() // what the timer writes
			defer f.mu.Unlock()
			all := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			out.Reset()
			return all
		}
		for range failuresOfEach + 7 {
			f.tell(accounts.Failure{Addr: "192.0.2.1", Name: "alice", What: accounts.AtLogin})
		}
		f.tell(accounts.Failure{Addr: "192.0.2.2", What: accounts.AtLogin})
		got := lines()
		if len(got) != failuresOfEach+1 || got[0] != "[INFO]  audit: failed=login address=192.0.2.1 user=alice" ||
			got[failuresOfEach] != `[INFO]  audit: failed=login address=192.0.2.2 user="(none of that name)"` {
			t.Errorf("%q", got)
		}
		time.Sleep(failureWindow)
		if got := lines(); len(got) != 1 || !strings.HasSuffix(got[0], " count=7") {
			t.Errorf("after the window: %q", got)
		}
		for i := range 3 * failuresInAll {
			f.tell(accounts.Failure{Addr: fmt.Sprint("192.0.2.", i), What: accounts.AtLogin})
		}
		if got := lines(); len(got) != failuresInAll {
			t.Errorf("%d lines of many addresses", len(got))
		}
		time.Sleep(2 * failureWindow)
		if got := lines(); len(got) != 1 || !strings.HasSuffix(got[0], fmt.Sprint(" count=", 2*failuresInAll)) {
			t.Errorf("after the window: %q", got)
		}
	})
}
