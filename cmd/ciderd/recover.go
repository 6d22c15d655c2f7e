package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/config"
	"ciderd/internal/daemon"
	"ciderd/internal/recovery"
)

// recoverCommand runs "recover": what cannot be undone asks for a flag that says so.
func recoverCommand(args []string) int {
	var o config.Options
	var plan, accept bool
	words, err := split(args, func(f *flag.FlagSet) {
		f.StringVar(&o.Path, "config", "", "")
		f.StringVar(&o.Node, "node", "", "")
		f.BoolVar(&plan, "plan", false, "")
		f.BoolVar(&accept, "accept-loss", false, "")
	})
	switch {
	case errors.Is(err, flag.ErrHelp):
		return helpOf("recover")
	case err == nil && len(words) > 0:
		err = fmt.Errorf("unexpected argument %q", words[0])
	case err == nil && plan == accept:
		err = errors.New("one of -plan and -accept-loss says what to do; begin with -plan")
	}
	if err != nil {
		return wrongUsage("recover", err)
	}
	c, code := load(o)
	if code != exitOK {
		return code
	}
	if err := recoverFrom(c, accept); err != nil {
		fmt.Fprintf(os.Stderr, "ciderd: %v\n", err)
		return exitFailed
	}
	return exitOK
}

func recoverFrom(c *config.Config, accept bool) error {
	log := hclog.New(&hclog.LoggerOptions{Name: "ciderd", Level: hclog.Error, Output: os.Stderr})
	r := daemon.Survivor(c, version, log)
	if !accept {
		p, err := r.Plan(context.Background())
		if err == nil {
			printPlan(p)
		}
		return err
	}
	done, err := r.Run(context.Background())
	if done != nil && done.Copy != "" {
		fmt.Printf("the data directory as it was: %s\n", done.Copy)
	}
	if err != nil {
		return err
	}
	fmt.Printf(`recovered: %s is now %s, the only voter of cluster %q, with everything up to entry %d
Next: start it. On every other node: stop it and remove its data directory before it starts again; it is then
let in by itself. Never start another one with its old data while this one cannot be reached.
`, done.ServerID, done.Now, c.ClusterName, done.LastIndex)
	return nil
}

func printPlan(p *recovery.Plan) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("data directory", "%s", p.DataDir)
	line("this server", "%s", p.ServerID)
	if !p.Recovered.IsZero() {
		line("recovered before", "%s", moment(p.Recovered))
	}
	if p.BrokenOff != "" {
		line("broken off", "recovering was begun here; the directory as it was: %s", p.BrokenOff)
	}
	line("voters", "%s", list(p.Voters))
	line("non-voters", "%s", list(p.NonVoters))
	line("answering now", "%s", list(p.Answering))
	line("last entry", "index %d, term %d", p.LastIndex, p.LastTerm)
	line("last write", "%s", moment(p.LastWrite))
	if p.SnapshotIndex > 0 {
		line("snapshot", "index %d, term %d", p.SnapshotIndex, p.SnapshotTerm)
	} else {
		line("snapshot", "none")
	}
	line("state", "%d users, about %d bytes of keys and values", p.Users, p.Bytes)
	_ = w.Flush()
	fmt.Printf("\nMay be lost: every write after %s that the others acknowledged and this node does not have.\n"+
		"  It cannot know of them. Of several survivors, take the one whose last entry has the highest term, then the\n"+
		"  highest index.\n", moment(p.LastWrite))
	fmt.Printf("Becomes committed: all of the log behind the snapshot, %d entries with %d commands, up to index %d.\n"+
		"  Most or all of them were; the last may be writes that were answered TIMEOUT, or never answered.\n",
		p.Open, p.OpenCommands, p.LastIndex)
	if p.QuorumLost() {
		fmt.Println("\nTo do it, keeping a copy beside the data directory: the same command with -accept-loss in the place of -plan.")
		return
	}
	if p.BrokenOff != "" {
		fmt.Println("\nThe quorum is not lost: put the copy back, or remove the data directory. -accept-loss would refuse.")
		return
	}
	fmt.Println("\nThe quorum is not lost: start this node instead. -accept-loss would refuse.")
}

func list(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "(nothing was ever written)"
	}
	ago := time.Since(t).Round(time.Second)
	return fmt.Sprintf("%s (%v ago)", t.Local().Format("2006-01-02 15:04:05 MST"), ago)
}
