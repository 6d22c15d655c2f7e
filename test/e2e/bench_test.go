//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ciderd/test/harness"
)

// TestBench makes load on three nodes, by each protocol, kills the leader meanwhile, and has had enough after that: what was
// measured is printed, with what was lost, and no key is left.
func TestBench(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Redis: true})
	for _, redis := range []bool{false, true} {
		leader := c.Leader()
		watch := c.Followers(leader)[0]
		user := "bench-" + harness.Unique()
		conn := harness.LoginAs(t, watch, user)
		keys := func() int {
			t.Helper()
			reply, err := conn.Do("COUNT")
			if err != nil {
				t.Fatal(err)
			}
			n, err := strconv.Atoi(reply)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		var to []string
		for _, n := range c.Nodes {
			to = append(to, map[bool]string{false: n.Text, true: n.Redis}[redis])
		}
		args := []string{"bench", "-addr", strings.Join(to, ","), "-user", user, "-json", "-for", "1h", "-mix", "set,incr", "-conns", "9", "-keys", "1000", "-warm", "0"}
		if redis {
			args = append(args, "-redis")
		}
		cmd := exec.CommandContext(t.Context(), harness.Binary(t), args...)
		var out, errs bytes.Buffer
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = harness.CleanEnv(), strings.NewReader(harness.Password+"\n"), &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "keys", func() error {
			if keys() == 0 {
				return errors.New("there are none")
			}
			return nil
		})
		leader.Kill()
		c.Leader()
		before := applied(t, conn)
		harness.Eventually(t, "writes go on", func() error {
			if now := applied(t, conn); now < before+100 {
				return fmt.Errorf("%d entries, before %d", now, before)
			}
			return nil
		})
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatalf("it does not end: %s", errs.String())
		}
		var r struct {
			Answered int64
			Errors   []struct{ Name, Example string }
		}
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("%v: %q, %q", err, out.String(), errs.String())
		}
		// Three connections were to the leader, and were lost.
		if code := cmd.ProcessState.ExitCode(); code != 1 || r.Answered == 0 || len(r.Errors) == 0 {
			t.Errorf("code %d, %+v, %s", code, r, errs.String())
		}
		mustDo(t, conn, "SYNC", "OK")
		if n := keys(); n != 0 {
			t.Errorf("%d keys are left: %s", n, errs.String())
		}
		leader.Start()
		c.WaitReady()
	}
}

// applied is up to which entry a node has applied the log.
func applied(t *testing.T, conn *harness.Client) int {
	t.Helper()
	status, err := conn.Status()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(status["applied"])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
