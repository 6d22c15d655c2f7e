// Command cmd runs internal/torture: make torture, or
//
//	go run ./internal/torture/cmd -minutes 5 -seed 1
//
// It exits 0 if everything held, 1 if something did not (or the harness failed), 2 for wrong flags,
// 130 if it was told to stop. Without root or a tool that it needs it says so and exits 0, unless
// CI is set.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ciderd/internal/torture"
)

var errInterrupted = errors.New("told to stop")

func main() { os.Exit(run()) }

func run() int {
	minutes := flag.Float64("minutes", 5, "no round begins after this long")
	rounds := flag.Int("rounds", 0, "at most so many rounds; 0: no limit")
	seed := flag.Uint64("seed", 0, "of the schedule; 0: drawn, and printed")
	nodes := flag.Int("nodes", 3, "3 or 5")
	only := flag.String("faults", "", "comma-separated names; empty: all")
	failing := flag.Int("failing", 3, "stop after so many rounds with violations")
	bin := flag.String("bin", "", "the daemon; empty: built from ./cmd/ciderd")
	tags := flag.String("tags", "", "build tags for the daemon (planted bugs)")
	list := flag.Bool("list", false, "list the faults")
	flag.Parse()
	if *list {
		torture.List(os.Stdout)
		return 0
	}
	if flag.NArg() > 0 || *nodes != 3 && *nodes != 5 {
		flag.Usage()
		return 2
	}
	if missing := torture.Missing(); len(missing) > 0 {
		fmt.Fprintln(os.Stderr, "torture: skipped; this machine lacks:", strings.Join(missing, ", "))
		if os.Getenv("CI") != "" {
			return 1
		}
		return 0
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	o := torture.Options{
		For: time.Duration(*minutes * float64(time.Minute)), Rounds: *rounds, Seed: *seed,
		Nodes: *nodes, Failing: *failing, Out: os.Stdout,
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	return torment(o, *bin, *tags)
}

func torment(o torture.Options, bin, tags string) int {
	lock, err := torture.EnterHub()
	if err != nil {
		return fail(err)
	}
	defer func() { _ = lock.Close() }()
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		s := <-signals
		fmt.Fprintln(os.Stderr, "torture: cleaning up after", s)
		cancel(errInterrupted)
	}()
	if bin == "" {
		dir, err := os.MkdirTemp("", "ciderd-torture-bin-")
		if err != nil {
			return fail(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		bin = filepath.Join(dir, "ciderd")
		build := exec.CommandContext(ctx, "go", "build", "-tags", tags, "-o", bin, "./cmd/ciderd")
		build.Stdout, build.Stderr = os.Stdout, os.Stderr
		if err := build.Run(); err != nil {
			return fail(fmt.Errorf("building ciderd: %w", err))
		}
	}
	if o.Bin, err = filepath.Abs(bin); err != nil {
		return fail(err)
	}
	err = torture.Run(ctx, o)
	switch {
	case errors.Is(err, errInterrupted):
		return 130
	case err != nil:
		return fail(err)
	}
	fmt.Println("everything held")
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "torture:", err)
	return 1
}
