// Command cmd builds the daemon with each planted bug and finds out whether it is caught: make torture-plants.
//
// It exits 0 if all are, 1 if one is not (or something else went wrong), 2 for wrong flags, 3 if nothing went
// wrong but this machine cannot make the faults that a bug takes, which it says.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"ciderd/test/overlay"
	"ciderd/test/torture/plants"
)

const exitUnable = 3

func main() { os.Exit(run()) }

func run() int {
	torture := flag.String("torture", "bin/torture", "the binary of test/torture/cmd")
	compile := flag.Bool("compile", false, "only compile the program with all changes for tests")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: from the module's root, with the names of plants, or without for all")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if *compile {
		return exitCode(plants.Compile(ctx, "."))
	}
	planted := plants.All
	if flag.NArg() > 0 {
		var err error
		if planted, err = plants.Named(flag.Args()...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
	}
	return exitCode(catchAll(ctx, *torture, planted))
}

// What becomes of a check, besides that it catches the plant.
var (
	errMissed = errors.New("NOT CAUGHT")
	errUnable = errors.New("!!!! LEFT OUT")
)

func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case err == errUnable:
		return exitUnable
	}
	fmt.Fprintln(os.Stderr, "torture-plants:", err)
	return 1
}

// catchAll tries all checks of all plants, whatever becomes of one. It returns errUnable if that is the worst.
func catchAll(ctx context.Context, torture string, planted []plants.Plant) error {
	dir, err := os.MkdirTemp("", "ciderd-plants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var failed []string
	unable := false
	for _, p := range planted {
		bin := filepath.Join(dir, p.Name)
		if err := plants.Build(ctx, ".", bin, p); err != nil {
			return err
		}
		for _, c := range p.CaughtBy {
			by, err := catch(ctx, torture, bin, p, c)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			switch {
			case err == nil:
				fmt.Printf("%s: caught by %s\n", p.Name, by)
			case errors.Is(err, errUnable):
				fmt.Printf("%v\n", err)
				unable = true
			default:
				fmt.Printf("%s: %v\n", p.Name, err)
				failed = append(failed, p.Name)
			}
		}
		if err := os.Remove(bin); err != nil {
			return err
		}
	}
	switch {
	case len(failed) > 0:
		return fmt.Errorf("not caught: %s", strings.Join(failed, ", "))
	case unable:
		return errUnable
	}
	return nil
}

// catch makes one check, and tells what caught the plant.
func catch(ctx context.Context, torture, bin string, p plants.Plant, c plants.Check) (by string, err error) {
	if c.Package != "" {
		return catchByTests(ctx, p, c)
	}
	cmd := exec.CommandContext(ctx, torture, "-keep-data=false", "-bin", bin, "-seed", "1", "-minutes", "5", "-failing", "1",
		"-faults", c.Faults, "-rounds", strconv.Itoa(c.Rounds))
	// It cleans up after a signal, which a kill would keep it from.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	log, err := cmd.CombinedOutput()
	removeKept(log)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "", fmt.Errorf("%w in %d rounds of %s", errMissed, c.Rounds, c.Faults)
	case errors.As(err, &exit) && exit.ExitCode() == exitUnable:
		return "", fmt.Errorf("%w: %s under %s\n%s", errUnable, p.Name, c.Faults, lines(log, "!!!!", 100))
	case bytes.Contains(log, []byte("VIOLATION")):
		return caughtIn(log), nil
	}
	return "", fmt.Errorf("the harness failed: %w\n%s", err, log)
}

var failedTest = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)

func catchByTests(ctx context.Context, p plants.Plant, c plants.Check) (by string, err error) {
	args := []string{c.Package}
	if c.Test != "" {
		args = []string{"-run", c.Test, c.Package}
	}
	output, err := overlay.Go(ctx, ".", []overlay.Change{p.Change}, "test", args...)
	if err == nil {
		return "", fmt.Errorf("%w by the tests of %s", errMissed, c.Package)
	}
	by = "the tests of " + c.Package + ":"
	found := failedTest.FindAllStringSubmatch(output, 3)
	for _, match := range found {
		by += " " + match[1]
	}
	if len(found) == 0 { // they did not compile, or the like
		return "", err
	}
	return by, nil
}

var violatedRound = regexp.MustCompile(`(?m) round *[0-9]+  ([a-z+-]+) .* [1-9][0-9]* violations`)

// caughtIn tells of the first round with a violation.
func caughtIn(log []byte) string {
	fault := "?"
	if match := violatedRound.FindSubmatch(log); match != nil {
		fault = string(match[1])
	}
	return fault + "\n" + lines(log, "VIOLATION", 3)
}

// lines are the first of those that hold the word.
func lines(log []byte, word string, most int) string {
	var found []string
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte(word)) && len(found) < most {
			found = append(found, string(line[:min(len(line)-1, 160)]))
		}
	}
	return strings.Join(found, "\n")
}

var kept = regexp.MustCompile(`what tells of them is kept in (/var/tmp/ciderd-torture-kept-\S+)`)

// removeKept removes what tells of violations that had to be.
func removeKept(log []byte) {
	for _, match := range kept.FindAllSubmatch(log, -1) {
		if err := os.RemoveAll(string(match[1])); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}
