package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"ciderd/test/torture/faults"
	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// Options says what to run.
type Options struct {
	Bin     string        // the daemon
	For     time.Duration // no round begins after it
	Rounds  int           // at most so many; 0: as many as there is time for
	Seed    uint64
	Nodes   int      // 3 or 5
	Only    []string // names of faults; none: all
	Failing int      // rounds with a violation after which to stop
	// Brief has nothing that lasts stay broken for more than some seconds.
	Brief bool
	// KeepData keeps the data directories, too, of a round with a violation: up to gigabytes.
	KeepData bool
	Counts   string // a file to add the rounds of each fault to, see Table; empty: none
	Out      io.Writer
}

// Run is one whole run. It returns an error if anything that was promised did not hold, or if the
// harness itself could not go on; all that it made is gone then, but what a violation is kept by.
func Run(ctx context.Context, o Options) (err error) {
	t, err := newRun(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if t.cluster, err = rig.NewCluster(ctx, t.dir, o.Bin, o.Nodes, t.lacks); err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "seed %d, %d nodes, %v; work in %s\n", o.Seed, o.Nodes, o.For, t.dir)
	if err := t.cluster.Start(); err != nil {
		return err
	}
	t.loop()
	t.atEnd()
	t.report.print(o.Out)
	t.report.say(o.Out, t.deck.left)
	return errors.Join(t.verdict(), t.report.count(o.Counts))
}

// run is the state of one.
type run struct {
	Options
	ctx     context.Context
	dir     string // goes at the end
	kept    string // made when it is needed, and stays
	deck    *deck
	cluster *rig.Cluster
	past    []faults.PastUser // of the rounds before, oldest first
	report  report
	lacks   map[rig.Need]error // what this machine cannot do, and why
	levels  judge.Levels
	base    map[string]judge.Usage // what processes held when the run was warm
	failed  int                    // rounds with a violation
	broken  error                  // why the harness could not go on
}

// pastUsers is how many are kept: enough to see that nothing is lost later, and little enough that
// the nodes' memory does not grow with the run.
const pastUsers = 4

func newRun(ctx context.Context, o Options) (*run, error) {
	dir, err := os.MkdirTemp(rig.WorkRoot, rig.Prefix+"work-")
	if err != nil {
		return nil, err
	}
	lacks := rig.Lacking(dir, o.Bin)
	d, err := newDeck(faults.Able(faults.All(), lacks, o.Out), o.Seed, o.Nodes, o.Only)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir), rig.Command("ip", "netns", "del", rig.HubNamespace()))
	}
	d.brief = o.Brief
	return &run{Options: o, ctx: ctx, dir: dir, deck: d, lacks: lacks, base: map[string]judge.Usage{}}, rig.OpenHub()
}

func (t *run) close() error {
	var err error
	if t.cluster != nil {
		err = t.cluster.Close()
	}
	return errors.Join(err, os.RemoveAll(t.dir), rig.Command("ip", "netns", "del", rig.HubNamespace()))
}

func (t *run) loop() {
	end := time.Now().Add(t.For)
	for t.ctx.Err() == nil && time.Now().Before(end) && (t.Rounds == 0 || t.deck.dealt < t.Rounds) {
		d := t.deck.next()
		if t.oneRound(d); t.broken != nil || t.failed >= t.Failing {
			return
		}
		t.warm()
	}
}

// oneRound plays a round, judges it and says so in one line or more.
func (t *run) oneRound(d deal) {
	number := t.deck.dealt
	began := time.Now()
	p := &play{run: t, number: number, deal: d, history: filepath.Join(t.dir, fmt.Sprintf("history-%d.jsonl", number))}
	for _, n := range t.cluster.Nodes {
		n.MayEnd = false
		n.Level.Store(int32(judge.Quiet))
		p.logs = append(p.logs, n.Log.Size())
		p.starts = append(p.starts, n.Starts.Load())
	}
	err := p.play()
	if t.ctx.Err() != nil {
		return // whatever it found, it found while things were being taken away
	}
	errs, count := p.bad.All()
	if err != nil {
		t.broken = fmt.Errorf("round %d, %s: %w", number, d.name(), err)
	}
	t.report.add(d.name(), row{1, p.ops, count, p.undecided, p.gap})
	fmt.Fprintf(t.Out, "%s round %3d  %-36s %6d operations  %5.1f s  %d violations\n",
		time.Now().Format("15:04:05"), number, d.name(), p.ops, time.Since(began).Seconds(), count)
	for _, note := range p.notes {
		fmt.Fprintf(t.Out, "           %s\n", note)
	}
	for _, err := range errs {
		fmt.Fprintf(t.Out, "  VIOLATION %v\n", err)
	}
	if count == 0 && t.broken == nil {
		if err := os.Remove(p.history); err != nil {
			t.broken = err
		}
		return
	}
	t.failed++
	t.keep(p, errs)
}

// keep moves what tells of a round out of the way of the end, and starts anew with empty disks:
// what comes after must not be judged by what this round has left.
func (t *run) keep(p *play, errs []error) {
	if t.kept == "" {
		kept, err := os.MkdirTemp(rig.WorkRoot, rig.Prefix+"kept-")
		if err != nil {
			t.broken = err
			return
		}
		t.kept = kept
	}
	dir := filepath.Join(t.kept, fmt.Sprintf("round-%d-%s", p.number, p.deal.name()))
	fmt.Fprintf(t.Out, "           kept in %s\n", dir)
	err := errors.Join(os.Mkdir(dir, 0o700), t.cluster.KillAll())
	text := fmt.Sprintf("seed %d, %d nodes, round %d, %s\n", t.Seed, t.Nodes, p.number, p.deal.name())
	for _, e := range errs {
		text += e.Error() + "\n"
	}
	err = errors.Join(err, os.WriteFile(filepath.Join(dir, "violations.txt"), []byte(text), 0o600),
		rig.Command("cp", filepath.Join(t.dir, "cluster.hcl"), dir))
	if _, missing := os.Stat(p.history); missing == nil { // else the round broke before its load
		err = errors.Join(err, rig.Command("mv", p.history, dir))
	}
	for _, n := range t.cluster.All() {
		err = errors.Join(err, rig.Command("cp", n.Log.Path, dir))
		if t.KeepData {
			err = errors.Join(err, n.Disk.Keep(filepath.Join(dir, n.Name)))
		}
		err = errors.Join(err, n.Disk.Wipe())
	}
	t.past = nil
	clear(t.base)
	err = errors.Join(err, t.cluster.Dismiss())
	if err == nil {
		err = t.cluster.Heal()
	}
	if err == nil {
		err = t.cluster.Start()
	}
	if err != nil && t.broken == nil {
		t.broken = err
	}
}

func (t *run) verdict() error {
	switch {
	case t.ctx.Err() != nil:
		return context.Cause(t.ctx)
	case t.broken != nil:
		return errors.Join(t.broken, t.whereKept())
	case t.failed > 0:
		return errors.Join(fmt.Errorf("%d of %d rounds with violations", t.failed, t.deck.dealt), t.whereKept())
	}
	return nil
}

func (t *run) whereKept() error {
	if t.kept == "" {
		return nil
	}
	return fmt.Errorf("what tells of them is kept in %s (seed %d)", t.kept, t.Seed)
}

// random is where a round draws from.
func (d deal) random() *rand.Rand { return rand.New(rand.NewPCG(d.seed, 1)) }
