// Command ciderd is a node of a replicated in-memory cache. It owns flags, signals and exit codes,
// and leaves everything else to internal/daemon.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	release "ciderd"
	"ciderd/internal/config"
)

// commit is set by the linker (make build).
var commit string

// version is what VERSION says, with the commit.
var version = release.Version(commit)

// Exit codes, from sysexits.h where it has one: RestartPreventExitStatus in the unit knows 64 and 78. A node
// that ends for an error has daemon.ExitCode.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 64
	exitConfig = 78
)

// command is one verb of the command line.
type command struct {
	name    string
	summary string
	run     func(args []string) int
}

// commands is the one table of what ciderd can be told to do; without a verb it runs a node.
func commands() []command {
	return []command{
		{"run", "run a node (what happens without a command)", run},
		{"validate", "check a configuration and print what this node would do", validate},
		{"member", "list the cluster's nodes, let one in, take one out, give one its vote", member},
		{"transfer", "hand leadership to another node", transfer},
		{"user", "add a user, also while signup is closed", user},
		{"recover", "go on from one stopped node after the loss of a quorum for good", recoverCommand},
		{"version", "print the version", printVersion},
		{"help", "print this", help},
	}
}

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		for _, c := range commands() {
			if c.name == args[0] {
				os.Exit(c.run(args[1:]))
			}
		}
		fmt.Fprintf(os.Stderr, "ciderd: unknown command %q\n", args[0])
		usage(os.Stderr)
		os.Exit(exitUsage)
	}
	os.Exit(run(args))
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: ciderd [command] [-config FILE] [-node NAME]\n\ncommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, `
flags of all but version and help:
  -config FILE  the cluster's file (or CIDERD_CONFIG); without one: a single node on localhost:8080
  -node NAME    which node of the file this is (or CIDERD_NODE); else by hostname or address

to a running node of this machine, on its admin socket (or that at -socket PATH):
  ciderd member list           who belongs to the cluster, as its leader sees it
  ciderd member add NAME       let the empty node NAME in at once
  ciderd member remove NAME    take NAME out; a leader hands over first
  ciderd member promote NAME   give NAME its vote, once it has caught up
  ciderd transfer [NAME]       make NAME the leader, or the best node
  ciderd user add NAME         add a user; the password is a line of standard input

to the data directory of a stopped node:
  ciderd recover -plan         show what it has, and what may be lost by going on from it
  ciderd recover -accept-loss  keep a copy, and make it the only node of its cluster

Exit codes: 0 done, 64 wrong usage, 65 a data directory that needs a person (damaged, or its server was
removed from the cluster or left out of a recovery), 78 wrong configuration, 1 refused, failed, or anything else.
`)
}

func help([]string) int {
	usage(os.Stdout)
	return exitOK
}

func printVersion([]string) int {
	fmt.Println("ciderd", version)
	return exitOK
}

// options reads the flags that run and validate share. code is exitOK if there is something to do.
func options(name string, args []string) (o config.Options, done bool, code int) {
	flags := flag.NewFlagSet("ciderd "+name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.Path, "config", "", "")
	flags.StringVar(&o.Node, "node", "", "")
	showVersion := flags.Bool("version", false, "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage(os.Stdout)
		return o, true, exitOK
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *showVersion:
		return o, true, printVersion(nil)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "ciderd: %v\n", err)
		usage(os.Stderr)
		return o, true, exitUsage
	}
	return o, false, exitOK
}

func load(o config.Options) (*config.Config, int) {
	c, err := config.Load(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return nil, exitConfig
	}
	return c, exitOK
}

func validate(args []string) int {
	o, done, code := options("validate", args)
	if done {
		return code
	}
	c, code := load(o)
	if code == exitOK {
		fmt.Print(c.Describe())
	}
	return code
}
