package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/cli"
	"ciderd/internal/config"
	"ciderd/internal/daemon"
	"ciderd/internal/recovery"
)

// recoverNode runs "recover": what cannot be undone asks for a flag that says so.
func recoverNode(call *cli.Call) error {
	if call.Given("plan") == call.Given("accept-loss") {
		return cli.Usage("give -plan or -accept-loss; begin with -plan")
	}
	c, err := call.Config()
	if err != nil {
		return err
	}
	return recoverFrom(c, call.Given("accept-loss"))
}

func recoverFrom(c *config.Config, accept bool) error {
	log := hclog.New(&hclog.LoggerOptions{Name: "ciderd", Level: hclog.Error, Output: os.Stderr})
	r, err := daemon.Survivor(c, version, log)
	if err != nil {
		return err
	}
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
	fmt.Printf("Becomes committed: all of the log after the snapshot, %d entries with %d commands, up to index %d.\n"+
		"  Most or all of them already were; the last ones may be writes that were answered TIMEOUT, or not at all.\n",
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
