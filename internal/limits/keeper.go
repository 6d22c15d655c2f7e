package limits

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/fsm"
)

// Config is what the package needs of its node. The functions may be called from any goroutine.
type Config struct {
	File  File  // what the node's file says now
	Notes Notes // of the node's directory
	// Known: the directory was there before this process.
	Known bool
	// Ready reports whether this node serves; its state is as new as any then.
	Ready  func() bool
	Shares func() fsm.Shares
	// Reads reports whether every server reads entries of a version.
	Reads   func(version int) bool
	Propose func(c fsm.Command) (fsm.Result, error)
	// Nodes asks all servers, this one included, how much memory they have. missing are those that do not answer.
	Nodes func(ctx context.Context) (memory []int64, missing []string)
	// Machine returns how much memory there is for this process, in bytes; 0: not known.
	Machine func() int64
	Log     hclog.Logger
}

// Notes are what a directory remembers of its file.
type Notes interface {
	// Limits returns what SetLimits stored; empty: nothing.
	Limits() (string, error)
	SetLimits(text string) error
}

// Formed is the note of a directory whose server has formed a new cluster, before anything of its file is taken over.
const Formed = "formed"

// Keeper takes over what the file says. All methods may be called from any goroutine.
type Keeper struct {
	config  Config
	changed chan struct{}

	mu   sync.Mutex // all below
	file File
}

// New returns a Keeper. It starts nothing.
func New(c Config) *Keeper {
	return &Keeper{config: c, changed: make(chan struct{}, 1), file: c.File}
}

// Begin is called before the node takes part. Where this is the first start of a server it notes the file's values: a
// node that joins changes nothing. (One that forms a cluster notes that instead, later.)
func (k *Keeper) Begin() error {
	note, err := k.config.Notes.Limits()
	if err == nil && note == "" && !k.config.Known {
		err = k.config.Notes.SetLimits(k.config.File.String())
	}
	if err != nil {
		return fmt.Errorf("the directory's note of limits: %w", err)
	}
	return nil
}

// SetFile notes what the file says now.
func (k *Keeper) SetFile(f File) {
	k.mu.Lock()
	k.file = f
	k.mu.Unlock()
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// File returns what the file says.
func (k *Keeper) File() File {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.file
}

const (
	poll = 100 * time.Millisecond
	// retry is how long after a try that failed there is another one.
	retry = 2 * time.Second
)

// Run takes over the file's values when they are others than before, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	for !k.config.Ready() {
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return
		}
	}
	said := ""
	for {
		var again <-chan time.Time
		if err := k.takeOver(ctx); err != nil {
			if text := err.Error(); text != said {
				said = text
				k.config.Log.Warn("the limits of the file are not taken over yet", "file", k.File().String(), "error", err)
			}
			again = time.After(retry)
		}
		select {
		case <-again:
		case <-k.changed:
		case <-ctx.Done():
			return
		}
	}
}

// takeOver proposes the file's values if they differ from those that it had before, and remembers them once they hold.
func (k *Keeper) takeOver(ctx context.Context) error {
	file := k.File()
	note, err := k.config.Notes.Limits()
	if err != nil {
		return err
	}
	if note == "" {
		note = unsaid.String() // the directory is of a release without limits
	}
	limits, set := k.config.Shares().Limits()
	if note == file.String() {
		k.compare(file, limits, set)
		return nil
	}
	if !k.config.Reads(fsm.OpLimits.Since()) {
		return fmt.Errorf("some nodes run a release without limits: install this one on all of them")
	}
	command, err := k.command(ctx, file)
	if err != nil {
		return err
	}
	if note == Formed {
		command.Flags |= fsm.FlagFirst
	}
	result, err := k.config.Propose(command)
	if err != nil {
		return err
	}
	switch result.Kind {
	case fsm.KindOK:
		k.config.Log.Info("limits taken over from the file", "max_memory", Size(command.N), "file", file.String())
	case fsm.KindExists: // another node of the new cluster was first
		limits, set = k.config.Shares().Limits()
		k.compare(file, limits, set)
	case fsm.KindReserved:
		k.config.Log.Error("the file's limit is refused: what is reserved for users does not fit in it",
			"file", file.String(), "most_for_reserves_bytes", result.N)
		return nil
	default:
		return fmt.Errorf("result %d", result.Kind)
	}
	return k.config.Notes.SetLimits(file.String())
}

// command returns the proposal of a file's values.
func (k *Keeper) command(ctx context.Context, file File) (fsm.Command, error) {
	c := fsm.Command{Op: fsm.OpLimits, N: file.MaxMemory, Limit: file.Quota}
	if file.Reject {
		c.Flags = fsm.FlagReject
	}
	if file.MaxMemory != Auto {
		return c, nil
	}
	memory, missing := k.config.Nodes(ctx)
	if len(missing) > 0 {
		return c, fmt.Errorf("max_memory = auto is half of the smallest node's memory, and these do not answer: %v", missing)
	}
	if slices.Contains(memory, 0) {
		return c, fmt.Errorf("max_memory = auto: a node does not know how much memory it has")
	}
	const unit = 1 << 20
	c.N = max(slices.Min(memory)/2/unit*unit, fsm.MinMemory)
	return c, nil
}

// compare says what a person should know of limits that are not those of the file.
func (k *Keeper) compare(file File, limits fsm.Limits, set bool) {
	switch {
	case !set:
		k.config.Log.Warn("this cluster has no limit on memory: set limits.max_memory in the file of a node, and send it SIGHUP")
	case k.config.Machine() > 0 && k.config.Machine() < limits.MaxMemory+limits.MaxMemory/2:
		k.config.Log.Warn("this node has too little memory for the limit, which takes up to one and a half of it",
			"memory_bytes", k.config.Machine(), "limit_bytes", limits.MaxMemory)
	}
	if set && file.differs(limits) {
		k.config.Log.Warn("the file has other limits than the cluster; to change the cluster's, change the file and send SIGHUP",
			"file", file.String(), "cluster", fileOf(limits).String())
	}
}
