// Command ciderd is a node of a replicated in-memory cache. It owns flags, signals and exit codes,
// and leaves everything else to internal/daemon.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"

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

func main() {
	// Whatever ciderd makes has everybody's values in it.
	syscall.Umask(0o077)
	args := os.Args[1:]
	if len(args) == 0 || args[0] == "" || args[0][0] == '-' {
		os.Exit(run(args))
	}
	v, rest := findVerb(args)
	if v == nil {
		os.Exit(unknownVerb(args))
	}
	os.Exit(v.run(rest))
}

func printVersion(args []string) int {
	switch {
	case len(args) == 1 && asksForHelp(args[0]):
		return helpOf("version")
	case len(args) > 0:
		return wrongUsage("version", fmt.Errorf("unexpected argument %q", args[0]))
	}
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
	case errors.Is(err, flag.ErrHelp) && name == "run":
		usage(os.Stdout)
		return o, true, exitOK
	case errors.Is(err, flag.ErrHelp):
		return o, true, helpOf(name)
	case err == nil && name == "validate" && flags.NArg() == 1 && o.Path == "":
		o.Path = flags.Arg(0)
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *showVersion:
		return o, true, printVersion(nil)
	}
	if err != nil {
		return o, true, wrongUsage(name, err)
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
