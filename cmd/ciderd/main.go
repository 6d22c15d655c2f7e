// A binary with cgo resolves names as one without it does.
//go:debug netdns=go

// Command ciderd is a node of a replicated in-memory cache. It owns signals and what a process does as a node; the
// command line is internal/cli's, and everything else internal/daemon's.
package main

import (
	"fmt"
	"os"
	"syscall"

	release "ciderd"
	"ciderd/internal/cli"
)

// commit is set by the linker (make build).
var commit string

// version is what VERSION says, with the commit.
var version = release.Version(commit)

func main() {
	// Whatever ciderd makes has everybody's values in it.
	syscall.Umask(0o077)
	os.Exit(program().Main(os.Args[1:]))
}

// program is the one table of what ciderd can be told to do.
func program() *cli.Program {
	verbs := []cli.Verb{
		{
			Name: "run", Summary: "run a node (the default)", Flags: []cli.Flag{{Name: "version"}},
			Text: `It runs in the foreground until SIGTERM or SIGINT; SIGHUP reads the file again.`,
			Run:  run,
		},
		{
			Name: "validate", Args: "[FILE]", Summary: "check a configuration; show what a node would do", Max: 1,
			Text: `FILE may stand for -config FILE. It prints every setting and where it is from,
and every mistake with its file and line.`,
			Flags: []cli.Flag{{Name: "version"}}, Run: validate,
		},
		{Name: "version", Summary: "print the version", Group: cli.OfTheProgram, Run: printVersion},
		cli.Help(),
	}
	verbs = append(verbs, cli.Status(), cli.Doctor(), cli.Wait(), cli.Leader())
	verbs = append(verbs, cli.Top(), cli.Talk(), cli.Bench(interruptible))
	verbs = append(verbs, cli.Members()...)
	verbs = append(verbs, cli.Drain()...)
	verbs = append(verbs, cli.Reload(), cli.Limits(), cli.Debug())
	verbs = append(verbs, cli.Users()...)
	verbs = append(verbs, cli.Backups(version)...)
	verbs = append(verbs, cli.TLS()...)
	verbs = append(verbs, cli.Verb{
		Name: "recover", Args: "-plan | -accept-loss", Summary: "continue from one node after the quorum is lost",
		Text: `-plan shows what the directory has, and what may be lost by continuing from it.
-accept-loss keeps a copy, and makes it the only node of its cluster.`,
		Group: cli.ToADirectory, Flags: []cli.Flag{{Name: "plan"}, {Name: "accept-loss"}}, Run: recoverNode,
	}, cli.Verb{
		Name: "journal flush", Summary: "let a release that knows no journal open the directory",
		Text: `The newest writes of a node that was killed are in its journal alone. This puts
them into raft.db and takes the journal away, so that an older release can be
started. A clean stop does the same; the next start makes a new journal.`,
		Group: cli.ToADirectory, Facts: true, Run: flushJournal,
	})
	return &cli.Program{Verbs: verbs, Default: "run", In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
}

func printVersion(c *cli.Call) error {
	_, err := fmt.Fprintln(c.Out, "ciderd", version)
	return err
}

func validate(c *cli.Call) error {
	switch {
	case c.Given("version"):
		return printVersion(c)
	case len(c.Words) > 0 && c.Given("config"):
		return cli.Usage("unexpected argument %q", c.Words[0])
	case len(c.Words) > 0:
		c.Set("config", c.Words[0])
	}
	config, err := c.Config()
	if err == nil {
		fmt.Fprint(c.Out, config.Describe())
	}
	return err
}
