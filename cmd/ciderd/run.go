package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/cli"
	"ciderd/internal/config"
	"ciderd/internal/daemon"
)

// run runs a node until it is told to stop, or cannot go on.
func run(call *cli.Call) error {
	if call.Given("version") {
		return printVersion(call)
	}
	c, err := call.Config()
	if err != nil {
		return err
	}
	logs := daemon.NewLogs(c)
	defer logs.Close()
	// Before anything can go wrong: a SIGTERM during the start must stop it cleanly too.
	signals := catch(func(s os.Signal) {
		logs.Last(hclog.Warn, "ending now", "signal", s)
		logs.Flush()
		os.Exit(cli.ExitFailed)
	})
	log := logs.Main
	log.Info("starting", "version", version, "node", c.NodeName, "cluster", c.ClusterName, "data", absolute(c.DataDir))
	for _, w := range c.Warnings() {
		log.Warn(w)
	}
	d, err := open(c, logs, signals)
	switch {
	case err != nil:
		logs.Last(hclog.Error, "cannot start", "error", err)
		return cli.ExitError(daemon.ExitCode(err))
	case d == nil:
		logs.Last(hclog.Info, "stopped before it had started")
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	go greet(ctx, c, d, log)
	code := wait(signals, d, log)
	cancel()
	return cli.ExitError(stop(d, logs, code))
}

// open starts the daemon, or gives none when a signal to stop comes first: reading a large directory takes its time,
// and nothing has been promised to anybody that ending in the middle of it could break.
func open(c *config.Config, logs daemon.Logs, signals signals) (*daemon.Daemon, error) {
	type opened struct {
		d   *daemon.Daemon
		err error
	}
	done := make(chan opened, 1)
	go func() {
		d, err := daemon.Open(c, version, logs)
		done <- opened{d, err}
	}()
	select {
	case o := <-done:
		return o.d, o.err
	case <-signals.stop:
		return nil, nil
	}
}

// stop closes the daemon, in bounded time, and returns the exit code: code if all went well.
func stop(d *daemon.Daemon, logs daemon.Logs, code int) int {
	limit := d.CloseLimit() + closeGrace
	inTime, err := within(limit, d.Close)
	switch {
	case !inTime:
		logs.Last(hclog.Error, "stopping takes too long: exiting now", "after", limit)
		return cli.ExitFailed
	case err != nil:
		logs.Last(hclog.Error, "closing", "error", err)
		return cli.ExitFailed
	}
	logs.Last(hclog.Info, "stopped")
	return code
}

// closeGrace is how much longer than it should a stop may take. It is there so that SIGTERM ends the process
// whatever hangs; together with timeouts.shutdown it is less than systemd waits (deploy/ciderd.service).
const closeGrace = 10 * time.Second

// within runs f, and waits for it no longer than limit.
func within(limit time.Duration, f func() error) (inTime bool, err error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return true, err
	case <-time.After(limit):
		return false, nil
	}
}

// wait returns the exit code once there is a reason to stop.
func wait(signals signals, d *daemon.Daemon, log hclog.Logger) int {
	for {
		select {
		case err := <-d.Failed():
			log.Error("cannot go on", "error", err)
			return cli.ExitFailed
		case s := <-signals.stop:
			log.Info("stopping", "signal", s)
			return cli.ExitOK
		case <-signals.reload:
			_, _ = d.Reload() // it has said what was wrong
		}
	}
}

// greet tells a person who tries ciderd out what to do next.
func greet(ctx context.Context, c *config.Config, d *daemon.Daemon, log hclog.Logger) {
	if d.WaitReady(ctx) != nil {
		return
	}
	for _, port := range []struct{ address, how string }{
		{c.Text, "clients on %s"}, {c.TextTLS, "clients on %s with TLS"},
		{c.Redis, "clients of Redis on %s"}, {c.RedisTLS, "clients of Redis on %s with TLS"},
	} {
		if port.address != "" && (port.address != c.Redis || d.RedisAddr() != nil) {
			log.Info(fmt.Sprintf("serving "+port.how, port.address))
		}
	}
	if c.Single && c.Text != "" && os.Getenv("NOTIFY_SOCKET") == "" { // a person, not a service manager
		log.Info(fmt.Sprintf("one node for trying out; talk to it with: nc %s", connectTo(c.Text)))
	}
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
