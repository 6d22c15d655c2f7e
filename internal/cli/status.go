package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"ciderd/internal/admin/api"
	"ciderd/internal/doctor"
	"ciderd/internal/report"
)

// Status is the verb that says how the cluster is.
func Status() Verb {
	return Verb{
		Name: "status", Args: "[-watch]", Summary: "show how the cluster and each of its nodes are", Group: ToANode, Facts: true,
		Flags: []Flag{{Name: "watch"}},
		Text: `First what is wrong, worst first, each with what mends it; then the nodes; then
the whole. Rates are of the last ten seconds, percentiles of the last minute;
P99 R/W is of reads and of writes, in milliseconds. -watch shows it again every
two seconds, until Ctrl-C.

Exit codes: 0 healthy, 1 degraded or no node at the socket, 2 no leader known,
or none that has a majority (NO QUORUM).`,
		Run: status,
	}
}

const watchEvery = 2 * time.Second

func status(c *Call) error {
	for c.Given("watch") {
		r, err := ask(c, api.Status, struct{}{})
		text := strings.Builder{}
		if err != nil {
			fmt.Fprintln(&text, err)
		} else {
			writeStatus(&text, &r)
		}
		fmt.Fprintf(c.Out, "\x1b[H\x1b[2J%s", text.String())
		time.Sleep(watchEvery)
	}
	r, err := ask(c, api.Status, struct{}{})
	if err != nil {
		return err
	}
	if err := c.Print(r, func(w io.Writer) error { writeStatus(w, &r); return nil }); err != nil {
		return err
	}
	return exitOf(&r)
}

// exitOf is how the exit code tells what a report says: nil if the cluster is healthy.
func exitOf(r *report.Full) error {
	switch {
	case r.Leader == "", r.Overview.Verdict == report.NoQuorum: // a leader that the others do not answer is none
		return ExitError(ExitNoLeader)
	case r.Overview.Verdict != report.Healthy:
		return ExitError(ExitFailed)
	}
	return nil
}

// writeStatus writes a screen of at most 79 columns, if no name or reason is long.
func writeStatus(w io.Writer, r *report.Full) {
	o := &r.Overview
	doctor.Wrap(w, o.Verdict+" ", o.Sentence)
	for i, f := range o.Findings {
		switch {
		case f.Severity == report.Advice:
			doctor.Wrap(w, "advice", f.What)
			continue
		case i > 0: // the first one is the sentence
			doctor.Wrap(w, "", f.What)
		}
		doctor.Wrap(w, "       ->", f.Cure)
	}
	fmt.Fprintln(w)
	writeNodes(w, o)
	fmt.Fprintln(w)
	writeWhole(w, r)
}

func writeNodes(out io.Writer, o *report.Overview) {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "NODE\tROLE\tADDRESS\tSTATE\tLAG\tMEM\tCONN\tOPS/S\tP99 R/W\tVER\tUP")
	for _, n := range o.Nodes {
		own := n.Own
		if own == nil {
			fmt.Fprintf(w, "%s\t-\t%s\tsilent\t-\t-\t-\t-\t-\t-\t-\n", n.Name, orDash(n.Address))
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%d\t%.0f\t%s/%s\t%s\t%s\n", n.Name, orDash(own.Role), orDash(own.Address), state(own), n.Lag,
			short(own.Memory), own.Connections, own.Now.Operations, inMilliseconds(own.Minute.ReadP99), inMilliseconds(own.Minute.WriteP99),
			own.Version, age(time.Since(time.UnixMilli(own.Started))))
	}
	w.Flush()
}

// state is how a node is, in one word.
func state(o *report.Own) string {
	switch {
	case o.Draining:
		return "draining"
	case o.NotReady != "":
		return "loading"
	case o.NoSpace:
		return "full"
	case o.NotWritable != "":
		return "reads"
	}
	return "ok"
}

// writeWhole writes what is true of the cluster as a whole.
func writeWhole(w io.Writer, r *report.Full) {
	var own report.Own
	var hits, reads, evicted uint64
	expires := int64(0)
	for _, n := range r.Overview.Nodes {
		if n.Own == nil {
			continue
		}
		if n.Name == r.Overview.Asked {
			own = *n.Own
		}
		hits, reads = hits+n.Own.Recent.Hits, reads+n.Own.Recent.Hits+n.Own.Recent.Misses
		evicted = max(evicted, n.Own.Recent.Evicted)
		for _, at := range n.Own.Expires {
			if expires == 0 || at < expires {
				expires = at
			}
		}
	}
	limit := "no limit"
	if own.Limit > 0 {
		limit = fmt.Sprintf("%d %% of %s", 100*own.Memory/own.Limit, report.Bytes(own.Limit))
	}
	fmt.Fprintf(w, "users %d · keys %d · memory %s (%s)\n", own.Users, own.Keys, report.Bytes(own.Memory), limit)
	rate := "-"
	if reads > 0 {
		rate = fmt.Sprintf("%.1f %%", 100*float64(hits)/float64(reads))
	}
	fmt.Fprintf(w, "hit rate %s · evicted %d (15 minutes) · commit p50 %s p99 %s\n", rate, evicted, took(own.Minute.CommitP50), took(own.Minute.CommitP99))
	certificate := "none"
	if expires > 0 {
		certificate = fmt.Sprintf("%d days", int(time.Until(time.Unix(expires, 0)).Hours()/24))
	}
	backup := "none"
	if own.BackupAt > 0 {
		backup = fmt.Sprintf("%s ago on %s", age(time.Since(time.UnixMilli(own.BackupAt))), own.BackupOn)
	}
	fmt.Fprintf(w, "certificate %s · last backup %s\n", certificate, backup)
}

// short writes bytes in few letters: 1.2G.
func short(n int64) string {
	number, unit, _ := strings.Cut(report.Bytes(n), " ")
	return number + unit[:1]
}

// inMilliseconds writes nanoseconds without a unit: 0.1, 25; -: there were none.
func inMilliseconds(ns int64) string {
	switch ms := float64(ns) / 1e6; {
	case ns == 0:
		return "-"
	case ms < 10:
		return fmt.Sprintf("%.1f", max(ms, 0.1))
	default:
		return fmt.Sprintf("%.0f", ms)
	}
}

// took writes nanoseconds in few letters: 1.2ms; -: there were none.
func took(ns int64) string {
	switch {
	case ns == 0:
		return "-"
	case ns < int64(time.Millisecond):
		return fmt.Sprintf("%dus", max(ns/1000, 1))
	case ns < int64(10*time.Millisecond):
		return fmt.Sprintf("%.1fms", float64(ns)/1e6)
	case ns < int64(time.Second):
		return fmt.Sprintf("%dms", ns/1e6)
	}
	return fmt.Sprintf("%.1fs", float64(ns)/1e9)
}

// age writes how long ago something was in few letters: 3d, 4h, 5m, 6s.
func age(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}
