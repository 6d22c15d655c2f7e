// Command compare asks ciderd and other servers of its kind the same, in turns, by one generator, and writes what it has
// measured as JSON, and from that a table and charts for docs/performance.md. make compare and make growth run it.
//
// It is a module of its own, so that the client of etcd is in no go.mod of ciderd. It owns the processes that it starts:
// they end with it, and their data is in a directory that is removed.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ciderd/test/peers"
)

func init() {
	// Children end with the thread that has started them: that is the one of main, which lasts.
	runtime.LockOSThread()
}

// settings are what can be said from outside.
type settings struct {
	Seconds float64 // that one run is measured
	Rounds  int     // of all runs of the table
	Kills   int     // of a leader
	Keys    int     // for the memory that one takes
	Most    int     // keys of the growth
	binary  string
	docs    string
	dir     string
}

func main() {
	var s settings
	growth, draw := false, false
	echo := ""
	flag.StringVar(&echo, "echo", "", "be the echo server at this address, and nothing else")
	flag.StringVar(&s.binary, "ciderd", "../../bin/ciderd", "the binary")
	flag.StringVar(&s.docs, "docs", "../../docs", "where performance.md is")
	flag.BoolVar(&growth, "growth", false, "what a command costs as things grow, instead of a comparison")
	flag.BoolVar(&draw, "draw", false, "measure nothing: table and charts anew, from the results that are there")
	flag.Parse()
	if echo != "" {
		fatal(peers.ServeEcho(echo))
	}
	s.Seconds, s.Rounds = fromEnv("SECS", 1.5), int(fromEnv("ROUNDS", 3))
	s.Kills, s.Keys, s.Most = int(fromEnv("KILLS", 10)), int(fromEnv("KEYS", 1_000_000)), int(fromEnv("KEYS", 1_000_000))
	if !draw {
		fatal(s.measure(growth))
	}
	fatal(s.write())
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// fromEnv reads a number above 0.
func fromEnv(name string, usual float64) float64 {
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n <= 0 {
		fatal(fmt.Errorf("%s=%q is no number above 0", name, text))
	}
	return n
}

// measure measures, and leaves what it has found in a file.
func (s *settings) measure(growth bool) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if s.binary, err = filepath.Abs(s.binary); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "ciderd-compare-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	about, err := facts(s)
	if err != nil {
		return err
	}
	begun := time.Now()
	if growth {
		g := &Growth{About: about}
		err = g.measure(ctx, s)
		g.About.Minutes = time.Since(begun).Minutes()
		return joined(err, s.save("growth.json", g))
	}
	c := &Comparison{About: about}
	if err := c.measure(ctx, s); err != nil {
		return err
	}
	c.About.Minutes = time.Since(begun).Minutes()
	return s.save("compare.json", c)
}

// joined returns the first error that there is.
func joined(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// results is the directory for what is measured and drawn.
func (s *settings) results() string { return filepath.Join(s.docs, "performance") }

func (s *settings) save(name string, of any) error {
	text, err := json.MarshalIndent(of, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.results(), 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.results(), name), append(text, '\n'), 0o666)
}

// load reads results; absent: there are none yet.
func (s *settings) load(name string, into any) (absent bool, err error) {
	text, err := os.ReadFile(filepath.Join(s.results(), name))
	if os.IsNotExist(err) {
		return true, nil
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	return false, err
}

// say tells whoever waits what goes on.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}
