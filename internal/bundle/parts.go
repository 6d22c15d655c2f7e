package bundle

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/pprof"
	"slices"
	"time"

	"ciderd/internal/doctor"
	"ciderd/internal/report"
)

// part is one file of the archive.
type part struct {
	name, about string
	binary      bool // it is no text, and has nothing to blank
	make        func(ctx context.Context, to io.Writer) error
}

// parts returns all of them. The nodes are asked once, before the processor is watched.
func (s *Source) parts() (all []part) {
	var full report.Full
	all = []part{
		{"status.json", "how this node and its cluster are, as ciderd status -json", false, func(ctx context.Context, to io.Writer) error {
			full = s.Full(ctx)
			return writeJSON(to, full)
		}},
		{"doctor.txt", "what is wrong, as ciderd doctor", false, func(_ context.Context, to io.Writer) error {
			doctor.Write(to, &full.Overview)
			return nil
		}},
		{"history.json", "the last quarter of an hour of this node", false, func(_ context.Context, to io.Writer) error { return writeJSON(to, s.Past()) }},
		{"nodes.txt", "settings of each node's file that all should have alike", false, func(_ context.Context, to io.Writer) error {
			return writeSettings(to, &full.Overview)
		}},
		{"config.txt", "all settings of this node, and where each is from", false, func(_ context.Context, to io.Writer) error {
			_, err := io.WriteString(to, s.Config())
			return err
		}},
		{"config.hcl", "its file", false, s.file},
		{"metrics.txt", "its metrics", false, s.metrics},
		{"log.txt", "the last lines of its log, with names of users and addresses of clients", false, func(_ context.Context, to io.Writer) error {
			_, err := to.Write(s.Log())
			return err
		}},
		{"machine.txt", "the machine, the process, and what limits them", false, s.machine},
		{"goroutines.txt", "what each goroutine does", false, profile("goroutine", 1)},
		{"heap.pprof", "what takes memory: go tool pprof", true, profile("heap", 0)},
		{"cpu.pprof", fmt.Sprintf("what took the processor for %v: go tool pprof", s.Profile), true, s.processor},
	}
	return slices.Insert(all, 0, part{"README.txt", "", false, contents(all)})
}

// contents returns the part that tells of all others.
func contents(all []part) func(context.Context, io.Writer) error {
	return func(_ context.Context, to io.Writer) error {
		fmt.Fprint(to, "For a ticket about ciderd. There is no key, no value, no password and no hash in here.\n\n")
		for _, p := range all {
			fmt.Fprintf(to, "%-15s %s\n", p.name, p.about)
		}
		_, err := fmt.Fprint(to, "\nNAME.error says why NAME is missing, or not whole.\n")
		return err
	}
}

func writeJSON(to io.Writer, v any) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeSettings writes what each node that answers has in its file.
func writeSettings(to io.Writer, o *report.Overview) error {
	for _, n := range o.Nodes {
		if n.Own == nil {
			fmt.Fprintf(to, "%s does not say: %s\n\n", n.Name, n.Reason)
			continue
		}
		var keys []string
		for key := range n.Own.Settings {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		fmt.Fprintf(to, "%s, release %s\n", n.Name, n.Own.Version)
		for _, key := range keys {
			fmt.Fprintf(to, "  %s  %s\n", key, n.Own.Settings[key])
		}
		fmt.Fprintln(to)
	}
	return nil
}

func (s *Source) file(_ context.Context, to io.Writer) error {
	if s.File == "" {
		_, err := io.WriteString(to, "# this node has no file\n")
		return err
	}
	f, err := os.Open(s.File)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(to, io.LimitReader(f, mostOfAFile))
	return err
}

// mostOfAFile is how much is read of one, in bytes.
const mostOfAFile = 1 << 20

func (s *Source) metrics(ctx context.Context, to io.Writer) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return err
	}
	w := &answer{to: to, header: http.Header{}, status: http.StatusOK}
	s.Metrics().ServeHTTP(w, q)
	if w.status != http.StatusOK {
		return fmt.Errorf("the metrics are answered with status %d", w.status)
	}
	return nil
}

// answer is an http.ResponseWriter that keeps the body.
type answer struct {
	to     io.Writer
	header http.Header
	status int
}

func (a *answer) Header() http.Header            { return a.header }
func (a *answer) WriteHeader(status int)         { a.status = status }
func (a *answer) Write(text []byte) (int, error) { return a.to.Write(text) }

// profile returns one of those that the runtime keeps. Goroutines are told without the arguments of their functions
// (debug 1), which may be what a client has sent.
func profile(name string, debug int) func(context.Context, io.Writer) error {
	return func(_ context.Context, to io.Writer) error { return pprof.Lookup(name).WriteTo(to, debug) }
}

// processor watches it. It is an error while another archive is being made.
func (s *Source) processor(ctx context.Context, to io.Writer) error {
	if err := pprof.StartCPUProfile(to); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	select {
	case <-time.After(s.Profile):
	case <-ctx.Done():
	}
	return nil
}
