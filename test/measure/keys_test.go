//go:build e2e

package measure

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

// TestMeasureKeys tells, with MEASURE=1, how long writes take while another client lists the keys of
// one large cache (KEYS=n of them, ten million unless given).
func TestMeasureKeys(t *testing.T) {
	n := measured(t)
	keys := 10_000_000
	if s := os.Getenv("KEYS"); s != "" {
		keys, _ = strconv.Atoi(s)
	}
	user := "keys-" + harness.Unique()
	fill(t, n, user, keys)
	c := harness.LoginAs(t, n, user)
	t.Logf("SET, one at a time, %d keys: %s", keys, setTimes(t, c))
	var pages atomic.Int64
	stop := beside(1, func(_ int, stopped *atomic.Bool) {
		f := harness.LoginAs(t, n, user)
		for after := ""; !stopped.Load(); pages.Add(1) {
			_, next, err := f.DoPage("KEYS *7* LIMIT 1000" + after)
			if err != nil {
				t.Errorf("KEYS: %v", err)
				return
			}
			if after = ""; next != "" {
				after = " AFTER " + next
			}
		}
	})
	start, before := time.Now(), pages.Load()
	t.Logf("SET beside KEYS without a pause: %s", setTimes(t, c))
	if n := pages.Load() - before; n > 0 {
		t.Logf("a page of 1,000 keys took %v", time.Since(start)/time.Duration(n))
	}
	stop()
}

func fill(t *testing.T, n *harness.Node, user string, keys int) {
	t.Helper()
	const writers, burst = 8, 1000
	harness.MakeUser(t, n, user)
	var wg sync.WaitGroup
	for w := range writers {
		c := harness.LoginAs(t, n, user)
		wg.Go(func() {
			lines := make([]string, 0, burst)
			for i := w; i < keys; i += writers {
				lines = append(lines, fmt.Sprintf("SET key:%012d v", i))
				if len(lines) == burst || i+writers >= keys {
					if _, err := c.Pipeline(lines...); err != nil {
						t.Errorf("filling: %v", err)
						return
					}
					lines = lines[:0]
				}
			}
		})
	}
	wg.Wait()
}

func setTimes(t *testing.T, c *harness.Client) string {
	t.Helper()
	var took []time.Duration
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); {
		start := time.Now()
		if _, err := c.Do("SET key:000000000007 " + strings.Repeat("v", 10)); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))] }
	return fmt.Sprintf("p50 %v, p99 %v, longest %v, of %d", at(.5), at(.99), at(1), len(took))
}
