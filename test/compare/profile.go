package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"ciderd/internal/bench"
)

// Profile is what the leader's processors did under one load.
type Profile struct {
	Shape string
	// Used is how many processors the leader took.
	Used float64
	// Parts are shares of that, from 0 to 1.
	Parts map[string]float64
}

// part is some work, told by the functions that are on the stack: each of all must be there.
type part struct {
	name string
	any  [][]string // one of these
}

// parts of the work of a node. A sample belongs to the first one that it fits.
var workParts = []part{
	{"collecting garbage", [][]string{{"runtime.gcBgMarkWorker"}, {"runtime.gcAssistAlloc"}, {"runtime.bgsweep"}, {"runtime.bgscavenge"}, {"runtime.gcStart"}}},
	{"clients' sockets (kernel)", [][]string{{"ciderd/internal/server", "internal/poll.(*FD).Read"}, {"ciderd/internal/server", "internal/poll.(*FD).Write"}, {"ciderd/internal/server", "syscall.RawSyscall"}, {"ciderd/internal/server", "syscall.Syscall"}}},
	{"moving the journal into BoltDB", [][]string{{"go.etcd.io/bbolt"}, {"journal.(*Journal).doRound"}}},
	{"the journal, with its syncs", [][]string{{"ciderd/internal/storage"}}},
	{"sockets between nodes (kernel)", [][]string{{"internal/poll.(*FD).Read"}, {"internal/poll.(*FD).Write"}, {"internal/poll.(*FD).Writev"}}},
	{"the state: applying, looking up", [][]string{{"ciderd/internal/fsm"}, {"ciderd/internal/cache"}}},
	{"reading and writing the protocol", [][]string{{"ciderd/internal/protocol"}}},
	{"batches (pipeline, cluster)", [][]string{{"ciderd/internal/pipeline"}, {"ciderd/internal/cluster"}}},
	{"Raft, and messages between nodes", [][]string{{"hashicorp/raft"}, {"hashicorp/go-msgpack"}, {"ciderd/internal/peer"}}},
	{"sessions", [][]string{{"ciderd/internal/server"}, {"ciderd/internal/session"}, {"ciderd/internal/redis"}}},
	{"Go's scheduler and timers", [][]string{{"runtime.schedule"}, {"runtime.mcall"}, {"runtime.park_m"}, {"runtime.sysmon"}, {"runtime.findRunnable"}, {"runtime.mstart"}, {"runtime.systemstack"}}},
}

const otherWork = "else"

// partOf returns the part that a stack belongs to.
func partOf(stack []string) string {
	has := func(what string) bool {
		return slices.ContainsFunc(stack, func(f string) bool { return strings.Contains(f, what) })
	}
	for _, p := range workParts {
		for _, all := range p.any {
			if !slices.ContainsFunc(all, func(what string) bool { return !has(what) }) {
				return p.name
			}
		}
	}
	return otherWork
}

// profiles takes one of the leader for each shape.
func (c *Comparison) profiles(ctx context.Context, s *settings, one *system) error {
	for _, shape := range shapes {
		p, err := one.profiled(ctx, s, shape, contents(one.keys, valueSize))
		if err != nil {
			return err
		}
		c.Profiles = append(c.Profiles, p)
	}
	return nil
}

// profiled returns what the leader does under a load.
func (one *system) profiled(ctx context.Context, s *settings, shape Shape, contents bench.Contents) (p Profile, err error) {
	leader, err := one.cluster.leader()
	if err != nil {
		return p, err
	}
	load, err := one.open(ctx, shape, time.Hour.Seconds(), contents)
	if err != nil {
		return p, err
	}
	defer load.Close()
	running, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		load.Run(running)
		close(over)
	}()
	p, err = takeProfile(ctx, s, filepath.Dir(one.cluster.nodes[leader].log), fmt.Sprintf("n%d", leader+1))
	stop()
	<-over
	if err != nil {
		return p, fmt.Errorf("a profile under %s: %w", shape.Name, err)
	}
	p.Shape = shape.Name
	say("%s: the leader takes %.2f processors", shape.Name, p.Used)
	return p, nil
}

// takeProfile asks a node for what it gives for a ticket, and takes the profile out of that.
func takeProfile(ctx context.Context, s *settings, dir, node string) (p Profile, err error) {
	archive := filepath.Join(dir, "debug.tar.gz")
	defer os.Remove(archive)
	cmd := exec.CommandContext(ctx, s.binary, "debug", archive, "-config", filepath.Join(dir, "cluster.hcl"), "-node", node)
	if out, err := cmd.CombinedOutput(); err != nil {
		return p, fmt.Errorf("%w: %s", err, out)
	}
	f, err := os.Open(archive)
	if err != nil {
		return p, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return p, err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return p, errors.New("there is none in the archive")
		}
		if err != nil {
			return p, err
		}
		if filepath.Base(h.Name) == "cpu.pprof" {
			taken, err := profile.Parse(t)
			if err != nil {
				return p, err
			}
			return shares(taken), nil
		}
	}
}

// shares adds up the samples of a profile.
func shares(taken *profile.Profile) Profile {
	p := Profile{Parts: map[string]float64{}}
	total := 0.0
	for _, sample := range taken.Sample {
		var stack []string
		for _, l := range sample.Location {
			for _, line := range l.Line {
				if line.Function != nil {
					stack = append(stack, line.Function.Name)
				}
			}
		}
		took := float64(sample.Value[len(sample.Value)-1])
		p.Parts[partOf(stack)] += took
		total += took
	}
	for name := range p.Parts {
		p.Parts[name] /= max(total, 1)
	}
	if taken.DurationNanos > 0 {
		p.Used = total / float64(taken.DurationNanos)
	}
	return p
}

// profileTable has a row for each part.
func profileTable(all []Profile) string {
	var b strings.Builder
	b.WriteString("| |")
	for _, p := range all {
		fmt.Fprintf(&b, " %s |", p.Shape)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n| processors taken |")
	for _, p := range all {
		fmt.Fprintf(&b, " %.2f |", p.Used)
	}
	b.WriteString("\n")
	names := []string{}
	for _, w := range workParts {
		names = append(names, w.name)
	}
	for _, name := range append(names, otherWork) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, p := range all {
			fmt.Fprintf(&b, " %.0f %% |", 100*p.Parts[name])
		}
		b.WriteString("\n")
	}
	return b.String()
}
