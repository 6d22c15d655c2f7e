//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

// A crew are clients that do something over and over, whatever they are told, until they go home, at the latest with the
// test. They are there for the load, and judge nothing.
type crew struct {
	t    *testing.T
	done atomic.Int64 // what was answered without an error
	stop chan struct{}
	all  sync.WaitGroup
	once sync.Once
}

func newCrew(t *testing.T) *crew {
	t.Helper()
	k := &crew{t: t, stop: make(chan struct{})}
	t.Cleanup(k.home)
	return k
}

// home ends it.
func (k *crew) home() {
	k.once.Do(func() { close(k.stop) })
	k.all.Wait()
}

// write has so many clients of a node store values of so many bytes, each in so many keys of its own, as fast as they are
// answered.
func (k *crew) write(n *harness.Node, clients, keys, size int) {
	k.t.Helper()
	user := "crew-" + harness.Unique()
	harness.MakeUser(k.t, n, user)
	value := strings.Repeat("v", size)
	for i := range clients {
		k.session(n, user, func(c *harness.Client, seq int) error {
			_, err := c.Do(fmt.Sprintf("SET %d:%d %s", i, seq%keys, value))
			return err
		})
	}
}

// everySoOften has two clients of a node read and write as people and small programs do: some dozen commands a second.
func (k *crew) everySoOften(n *harness.Node, user string) {
	for i := range 2 {
		k.session(n, user, func(c *harness.Client, seq int) error {
			key := fmt.Sprintf("%s:%d:%d", n.Name, i, seq%500)
			for _, line := range []string{"SET " + key + " v", "GET " + key, "HAS " + key, "SETEX short:" + key + " 5s v"} {
				if _, err := c.Do(line); err != nil {
					return err
				}
			}
			k.pause(100 * time.Millisecond)
			return nil
		})
	}
}

// session has a client that logs in again when its connection ends.
func (k *crew) session(n *harness.Node, user string, act func(c *harness.Client, seq int) error) {
	k.all.Go(func() {
		var c *harness.Client
		for seq := 0; !stopped(k.stop); seq++ {
			if c == nil {
				if c = connect(n, user, k.stop); c == nil {
					return
				}
				c.Timeout = time.Minute
			}
			err := act(c, seq)
			if err == nil {
				k.done.Add(1)
			} else if harness.Code(err) == "" {
				_ = c.Close()
				c = nil
			}
		}
		if c != nil {
			_ = c.Close()
		}
	})
}

// guess has so many clients of a node log in with wrong passwords.
func (k *crew) guess(n *harness.Node, clients int) {
	for i := range clients {
		k.all.Go(func() {
			for !stopped(k.stop) {
				c, err := n.Dial()
				if err != nil {
					k.pause(10 * time.Millisecond)
					continue
				}
				_ = c.Login(fmt.Sprintf("nobody%d", i), "wrong") // whatever is said
				_ = c.Close()
			}
		})
	}
}

// pause is one that the end of the crew ends.
func (k *crew) pause(d time.Duration) {
	select {
	case <-k.stop:
	case <-time.After(d):
	}
}
