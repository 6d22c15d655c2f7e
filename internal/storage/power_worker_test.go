package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"ciderd/internal/storage/journal"
)

// The worker is a process of its own (see powerfs), started by TestPowerLoss. It opens a directory, says
// what is in it, and does what Raft does, saying before each step what it is about to do and after it
// that it is done, until it is killed or the power goes off.

const (
	workerDir  = "STORAGE_POWER_DIR"
	workerSeed = "STORAGE_POWER_SEED"
)

// steps is how many a worker does before it waits to be killed.
const steps = 40

func TestPowerWorker(t *testing.T) {
	dir := os.Getenv(workerDir)
	if dir == "" {
		t.Skip("a part of TestPowerLoss")
	}
	seed, err := strconv.ParseUint(os.Getenv(workerSeed), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	journalLayout = journal.Layout{Files: 3, Size: 64 << 10} // so that files get full, and are made in less time
	s, err := Open(dir, quiet(), func(err error) { stop("fatal", err) })
	if err != nil {
		stop("refused", err)
	}
	w := &worker{s: s, random: rand.New(rand.NewPCG(seed, 0))}
	w.look()
	for range steps {
		w.step()
	}
	fmt.Println("end")
	select {} // Close would sync
}

func stop(why string, err error) {
	fmt.Printf("%s %q\n", why, err.Error())
	os.Exit(0)
}

type worker struct {
	s      *Storage
	random *rand.Rand
	powerState
}

// data is what an entry holds: it follows from index and term, and is up to 20 KB long.
func data(index, term uint64) []byte {
	r := rand.New(rand.NewPCG(index, term))
	return bytes.Repeat(fmt.Appendf(nil, "%d.%d ", index, term), 1+r.IntN(4000))
}

// look reads everything.
func (w *worker) look() {
	p := powerState{ID: w.s.ShortID, Incarnation: w.s.Incarnation}
	var errs [4]error
	p.First, errs[0] = w.s.Logs.FirstIndex()
	p.Last, errs[1] = w.s.Logs.LastIndex()
	p.Term, errs[2] = w.s.Stable.GetUint64([]byte("CurrentTerm"))
	if errors.Is(errs[2], raftboltdb.ErrKeyNotFound) {
		errs[2] = nil
	}
	for i := p.First; i <= p.Last && i > 0; i++ {
		var l raft.Log
		if err := w.s.Logs.GetLog(i, &l); err != nil || !bytes.Equal(l.Data, data(i, l.Term)) {
			stop("wrong", fmt.Errorf("entry %d of %d to %d: %w", i, p.First, p.Last, err))
		}
		p.Terms = append(p.Terms, l.Term)
	}
	list, err := w.s.Snapshots.List()
	if errs[3] = err; len(list) > 0 {
		p.Snapshot = list[0].Index
	}
	if err := errors.Join(errs[:]...); err != nil {
		stop("wrong", err)
	}
	w.powerState = p
	fmt.Println("has", p.encode())
}

// do announces the state that a step leads to, and does it.
func (w *worker) do(step func() error) {
	fmt.Println("do", w.encode())
	if err := step(); err != nil {
		stop("failed", err)
	}
	fmt.Println("done")
}

func (w *worker) step() {
	switch w.random.IntN(7) {
	case 0:
		w.Term = max(w.Term, bootstrapTerm) + 1 // that alone is no state, see bootstrap.go
		w.do(func() error { return w.s.Stable.SetUint64([]byte("CurrentTerm"), w.Term) })
	case 1:
		w.snapshot()
	case 2:
		w.cutEnd()
	case 3:
		w.install()
	default:
		w.append()
	}
}

func (w *worker) append() {
	if w.Term == 0 {
		return // Raft has a term before it has a log
	}
	var batch []*raft.Log
	w.Last = max(w.Last, w.Snapshot)
	for range 1 + w.random.IntN(8) {
		w.Last++
		w.Terms = append(w.Terms, w.Term)
		batch = append(batch, &raft.Log{Index: w.Last, Term: w.Term, Data: data(w.Last, w.Term)})
	}
	w.First = w.Last + 1 - uint64(len(w.Terms))
	w.do(func() error { return w.s.Logs.StoreLogs(batch) })
}

// cutEnd takes entries away that others would take the place of.
func (w *worker) cutEnd() {
	n := min(1+w.random.IntN(4), len(w.Terms)-1)
	if n < 1 || w.Last-uint64(n) < w.Snapshot {
		return
	}
	last := w.Last
	w.Last -= uint64(n)
	w.Terms = w.Terms[:len(w.Terms)-n]
	w.do(func() error { return w.s.Logs.DeleteRange(w.Last+1, last) })
}

// snapshot makes one of all that there is, and cuts the log off behind the one before.
func (w *worker) snapshot() {
	if w.Last == 0 || w.Last == w.Snapshot {
		return
	}
	before := w.Snapshot
	w.Snapshot = w.Last
	w.do(func() error { return w.storeSnapshot(w.Terms[len(w.Terms)-1]) })
	if first := w.First; before >= first && before < w.Last {
		w.Terms = w.Terms[before+1-first:]
		w.First = before + 1
		w.do(func() error { return w.s.Logs.DeleteRange(first, before) })
	}
}

func (w *worker) storeSnapshot(term uint64) error {
	sink, err := w.s.Snapshots.Create(1, w.Snapshot, term, raft.Configuration{}, 1, nil)
	if err != nil {
		return err
	}
	if _, err := sink.Write(data(w.Snapshot, 0)); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// install stores a snapshot that goes past the log, as a leader sends one, which is the end of the log.
func (w *worker) install() {
	if w.Term == 0 {
		return
	}
	first, last := w.First, w.Last
	w.Snapshot = max(w.Last, w.Snapshot) + 1 + w.random.Uint64N(5)
	w.First, w.Last, w.Terms = 0, 0, nil
	w.do(func() error {
		if err := w.storeSnapshot(w.Term); err != nil || last == 0 {
			return err
		}
		return w.s.Logs.DeleteRange(first, last)
	})
}

// powerState is what a directory holds.
type powerState struct {
	ID                                       string
	Incarnation, First, Last, Term, Snapshot uint64
	Terms                                    []uint64 // of the entries First to Last
}

func (p powerState) encode() string {
	text := fmt.Sprintf("%s %d %d %d %d %d", p.ID, p.Incarnation, p.First, p.Last, p.Term, p.Snapshot)
	for _, t := range p.Terms {
		text += fmt.Sprintf(" %d", t)
	}
	return text
}

func decodePowerState(text string) (p powerState, err error) {
	fields := strings.Fields(text)
	if len(fields) < 6 {
		return p, fmt.Errorf("%q", text)
	}
	p.ID = fields[0]
	for i, to := range []*uint64{&p.Incarnation, &p.First, &p.Last, &p.Term, &p.Snapshot} {
		if *to, err = strconv.ParseUint(fields[i+1], 10, 64); err != nil {
			return p, err
		}
	}
	for _, f := range fields[6:] {
		t, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return p, err
		}
		p.Terms = append(p.Terms, t)
	}
	return p, nil
}
