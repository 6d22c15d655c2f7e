// Command cmd runs test/torture: make torture, or
//
//	go run ./test/torture/cmd -minutes 5 -seed 1
//
// It exits 0 if everything held, 1 if something did not (or the harness failed), 2 for wrong flags,
// 3 if this machine can run none of it (it takes root, and network namespaces) or none of -faults, 130 if it was told to
// stop. Faults that this machine cannot make are left out, which it says.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ciderd/test/torture"
	"ciderd/test/torture/plants"
	"ciderd/test/torture/rig"
)

// exitUnable is of a machine that can run no torture at all.
const exitUnable = 3

var errInterrupted = errors.New("told to stop")

func main() { os.Exit(run()) }

func run() int {
	minutes := flag.Float64("minutes", 5, "no round begins after this long")
	rounds := flag.Int("rounds", 0, "at most so many rounds; 0: no limit")
	seed := flag.Uint64("seed", 0, "of the schedule; 0: drawn, and printed")
	nodes := flag.Int("nodes", 3, "3 or 5")
	only := flag.String("faults", "", "comma-separated names; empty: all")
	failing := flag.Int("failing", 3, "stop after so many rounds with violations")
	bin := flag.String("bin", "", "the daemon, with the clock that can be moved; empty: built from ./cmd/ciderd")
	planted := flag.String("plants", "", "comma-separated names of planted bugs to build the daemon with (no -bin)")
	build := flag.String("build", "", "only build the daemon, to this file")
	brief := flag.Bool("brief", false, "what lasts, lasts some seconds at most: all faults have their turn in about 10 minutes")
	keepData := flag.Bool("keep-data", os.Getenv("CI") == "", "keep the data directories, too, of a round with a violation")
	counts := flag.String("counts", "", "a file to which the rounds of each fault are added, for -table")
	list := flag.Bool("list", false, "list the faults")
	table := flag.Bool("table", false, "print the table of README.md, with the rounds of -counts")
	flag.Parse()
	if *list {
		torture.List(os.Stdout)
		return 0
	}
	if *table {
		if err := torture.Table(os.Stdout, *counts); err != nil {
			return fail(err)
		}
		return 0
	}
	if flag.NArg() > 0 || *nodes != 3 && *nodes != 5 {
		flag.Usage()
		return 2
	}
	bugs, err := plants.Named(strings.FieldsFunc(*planted, func(r rune) bool { return r == ',' })...)
	if err != nil {
		return fail(err)
	}
	if *build != "" {
		if err := plants.Build(context.Background(), ".", *build, bugs...); err != nil {
			return fail(err)
		}
		return 0
	}
	if err := rig.Unable(); err != nil {
		fmt.Fprintln(os.Stderr, "!!!! TORTURE LEFT OUT, ALL OF IT: this machine cannot run it:", err)
		return exitUnable
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	o := torture.Options{
		For: time.Duration(*minutes * float64(time.Minute)), Rounds: *rounds, Seed: *seed,
		Nodes: *nodes, Failing: *failing, Brief: *brief, KeepData: *keepData, Counts: *counts, Out: os.Stdout,
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	return torment(o, *bin, bugs)
}

func torment(o torture.Options, bin string, bugs []plants.Plant) int {
	lock, err := rig.EnterHub()
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
		if err := plants.Build(ctx, ".", bin, bugs...); err != nil {
			return fail(err)
		}
	}
	if o.Bin, err = filepath.Abs(bin); err != nil {
		return fail(err)
	}
	err = torture.Run(ctx, o)
	switch {
	case errors.Is(err, errInterrupted):
		return 130
	case errors.Is(err, torture.ErrNothing):
		fmt.Fprintln(os.Stderr, "!!!! TORTURE LEFT OUT:", err)
		return exitUnable
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
