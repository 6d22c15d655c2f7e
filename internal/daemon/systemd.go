package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

const (
	stopping = "STOPPING=1"
	ready    = "READY=1"
	alive    = "WATCHDOG=1"
	// notifyLimit is how long systemd may take to read: its socket may be full.
	notifyLimit = 200 * time.Millisecond
)

// notify tells systemd, if systemd started this process (see sd_notify(3)).
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	_ = conn.SetWriteDeadline(time.Now().Add(notifyLimit)) // never fails on a new connection
	_, err = conn.Write([]byte(state))
	return errors.Join(err, conn.Close())
}

const (
	// readyAnyway is after what time a node that has not caught up is reported ready all the same: it may wait for
	// nodes that systemd will only start (elsewhere, or here) after this one.
	readyAnyway = 15 * time.Second
	statusEvery = 200 * time.Millisecond
)

// pulse is how systemd hears that this process lives, if its unit has WatchdogSec=.
type pulse struct {
	every time.Duration // 0: systemd does not want to hear
	last  time.Time
}

// newPulse has a quarter of the time in which systemd wants to hear: a beat may be late.
func newPulse() pulse {
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	whose := os.Getenv("WATCHDOG_PID") // of another process: it is not for this one
	if err != nil || us <= 0 || whose != "" && whose != strconv.Itoa(os.Getpid()) {
		return pulse{}
	}
	return pulse{every: time.Duration(us) * time.Microsecond / 4}
}

// beat tells systemd, if it is time. What could not be sent is sent again.
func (p *pulse) beat(now time.Time) {
	if p.every > 0 && now.Sub(p.last) >= p.every && notify(alive) == nil {
		p.last = now
	}
}

// tellSystemd reports READY once the listeners are bound on an empty disk, or once a known one has caught up, and
// keeps a line on what the node is doing for systemctl status. A node that cannot say how it is does not live.
func (d *Daemon) tellSystemd(ctx context.Context) {
	if !d.empty {
		waiting, cancel := context.WithTimeout(ctx, readyAnyway)
		_ = d.WaitReady(waiting) // on a timeout go on as well
		cancel()
	}
	said, prefix, pulse := "", ready+"\n", newPulse()
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		// What could not be sent is sent again.
		if line := d.statusLine(); line != said && notify(prefix+"STATUS="+line) == nil {
			said, prefix = line, ""
		}
		pulse.beat(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (d *Daemon) statusLine() string {
	s := d.node.Status()
	switch {
	case s.Waiting != "" && s.Ready:
		return s.Node + ": " + s.Waiting
	case s.Waiting != "":
		return s.Waiting
	case d.draining.Load():
		return fmt.Sprintf("%s is draining, %d sessions", s.Node, d.server.Connections())
	case s.Leader == s.Node:
		return fmt.Sprintf("%s leads, %d sessions", s.Node, d.server.Connections())
	}
	return fmt.Sprintf("%s follows %s, %d sessions", s.Node, s.Leader, d.server.Connections())
}
