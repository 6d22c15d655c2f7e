package daemon

import (
	"context"
	"fmt"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

const stopping = systemd.SdNotifyStopping

// notify tells systemd, if it is what started us (see sd_notify(3)).
func notify(state string) { _, _ = systemd.SdNotify(false, state) }

const (
	// readyAnyway is when a node that has not caught up is called ready all the same: it may wait
	// for nodes that systemd is only going to start (elsewhere, or here) after this one.
	readyAnyway = 15 * time.Second
	statusEvery = 200 * time.Millisecond
)

// tellSystemd says READY once the listeners are bound on an empty disk, or once a known one has
// caught up, and keeps a line on what the node is doing for systemctl status.
func (d *Daemon) tellSystemd(ctx context.Context) {
	if !d.empty {
		waiting, cancel := context.WithTimeout(ctx, readyAnyway)
		_ = d.WaitReady(waiting) // the time-out is what it is for
		cancel()
	}
	said := d.statusLine()
	notify(systemd.SdNotifyReady + "\nSTATUS=" + said)
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		if line := d.statusLine(); line != said {
			notify("STATUS=" + line)
			said = line
		}
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
	case s.Waiting != "":
		return s.Waiting
	case s.Leader == "":
		return fmt.Sprintf("%s: no leader; reads are served, writes wait", s.Node)
	case s.Leader == s.Node:
		return fmt.Sprintf("%s leads, %d sessions", s.Node, d.server.Sessions())
	}
	return fmt.Sprintf("%s follows %s, %d sessions", s.Node, s.Leader, d.server.Sessions())
}
