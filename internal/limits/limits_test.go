package limits

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
)

// node is a directory, and a cluster of which the test decides how it is.
type node struct {
	t       *testing.T
	note    string
	fsm     *fsm.FSM
	index   uint64
	results []fsm.Result
	reads   bool
	ready   bool
	memory  []int64
	missing []string
	fail    error

	mu       sync.Mutex // all above, while a process runs
	proposed []fsm.Command
}

func newNode(t *testing.T) *node {
	n := &node{t: t, reads: true, ready: true, memory: []int64{8 << 30, 5 << 30, 6 << 30}}
	n.fsm = fsm.New("a/1", fsm.Hooks{Results: func(_, _ uint64, r []fsm.Result) { n.results = r }})
	return n
}

func (n *node) Limits() (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.note, nil
}

func (n *node) SetLimits(text string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.note = text
	return nil
}

// locked returns f that holds the lock.
func locked[T any](n *node, f func() T) T {
	n.mu.Lock()
	defer n.mu.Unlock()
	return f()
}

func (n *node) propose(c fsm.Command) (fsm.Result, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.proposed = append(n.proposed, c)
	if n.fail != nil {
		return fsm.Result{}, n.fail
	}
	n.index++
	entry := fsm.AppendBatch(nil, fsm.Header{Origin: []byte("a/1"), Incarnation: 1, Sequence: n.index, Count: 1, Version: fsm.EntryVersion}, fsm.AppendCommand(nil, &c))
	n.fsm.Apply(&raft.Log{Index: n.index, Term: 1, Type: raft.LogCommand, Data: entry})
	return n.results[0], nil
}

// run runs a process of the node until it has nothing to do, with do in between.
func (n *node) run(known bool, file File, do ...func(k *Keeper)) {
	n.t.Helper()
	k := New(Config{
		File: file, Notes: n, Known: known, Ready: func() bool { return locked(n, func() bool { return n.ready }) }, Shares: n.fsm.Shares,
		Reads: func(int) bool { return locked(n, func() bool { return n.reads }) }, Propose: n.propose,
		Nodes: func(context.Context) ([]int64, []string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.memory, n.missing
		}, Machine: func() int64 { return 0 }, Log: hclog.NewNullLogger(),
	})
	if err := k.Begin(); err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(n.t.Context())
	done := make(chan struct{})
	go func() { k.Run(ctx); close(done) }()
	for _, f := range append(do, func(*Keeper) {}) {
		time.Sleep(10 * time.Second)
		n.mu.Lock()
		f(k)
		n.mu.Unlock()
	}
	time.Sleep(10 * time.Second)
	cancel()
	<-done
}

func (n *node) limits() fsm.Limits {
	l, _ := n.fsm.Shares().Limits()
	return l
}

func (n *node) want(what string, proposals int, l fsm.Limits) {
	n.t.Helper()
	if len(n.proposed) != proposals || n.limits() != l {
		n.t.Errorf("%s: %d proposals, %+v; want %d, %+v", what, len(n.proposed), n.limits(), proposals, l)
	}
}

var twoGiB = File{MaxMemory: 2 << 30}

// The file's limits come into the log when a cluster is formed and when a person changes the file, and else never.
func TestWhenLimitsAreTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.ready = false
		n.run(false, twoGiB, func(*Keeper) { n.note = Formed; n.ready = true })
		n.want("formed", 1, fsm.Limits{MaxMemory: 2 << 30})
		n.run(true, twoGiB)
		n.want("started again", 1, fsm.Limits{MaxMemory: 2 << 30})
		changed := File{MaxMemory: 1 << 30, Reject: true, Quota: 1 << 20}
		n.run(true, twoGiB, func(k *Keeper) { k.SetFile(twoGiB) }, func(k *Keeper) { k.SetFile(changed) })
		n.want("the file was changed", 2, fsm.Limits{MaxMemory: 1 << 30, Reject: true, Quota: 1 << 20})
		n.run(true, File{})
		n.want("and while it did not run", 3, fsm.Limits{})
		n.run(true, File{MaxMemory: Auto})
		n.want("auto", 4, fsm.Limits{MaxMemory: 5 << 29})
		n.memory = []int64{1 << 30}
		n.run(true, File{MaxMemory: Auto})
		n.want("auto, and a smaller node", 4, fsm.Limits{MaxMemory: 5 << 29})
	})
}

// Every node of a new cluster proposes its file's; the first one's hold.
func TestOfANewClusterTheFirstHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.note = Formed
		n.run(true, twoGiB)
		n.note = Formed // of another node
		n.run(true, File{MaxMemory: 3 << 30})
		n.want("the second", 2, fsm.Limits{MaxMemory: 2 << 30})
		if want := (File{MaxMemory: 3 << 30}).String(); n.note != want {
			t.Errorf("it remembers %q, want %q", n.note, want)
		}
	})
}

// A node that joins changes nothing, nor does one that an older release has made; until its file is changed.
func TestWhoJoinsChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.run(false, twoGiB)
		n.want("it joined", 0, fsm.Limits{})
		n.run(true, twoGiB)
		n.want("and again", 0, fsm.Limits{})
	})
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.run(true, File{MaxMemory: Auto})
		n.want("of an older release", 0, fsm.Limits{})
		n.run(true, File{MaxMemory: Auto, Quota: 1 << 20})
		n.want("its file was changed", 1, fsm.Limits{MaxMemory: 5 << 29, Quota: 1 << 20})
	})
}

// What cannot be done yet is done later; what was not done is not remembered.
func TestTakenOverLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.note, n.reads = Formed, false
		n.run(true, File{MaxMemory: Auto}, func(*Keeper) {
			n.want("not all nodes read it", 0, fsm.Limits{})
			n.reads, n.missing = true, []string{"b/2"}
		}, func(*Keeper) {
			n.want("one does not answer", 0, fsm.Limits{})
			n.missing, n.memory = nil, []int64{0}
		}, func(*Keeper) {
			n.want("one does not know", 0, fsm.Limits{})
			n.memory, n.fail = []int64{1 << 20}, errors.New("no leader")
		}, func(*Keeper) {
			if len(n.proposed) == 0 || n.note != Formed {
				t.Errorf("%d proposals, note %q", len(n.proposed), n.note)
			}
			n.proposed, n.fail = nil, nil
		})
		n.want("at last, and not less than there can be", 1, fsm.Limits{MaxMemory: fsm.MinMemory})
	})
}

func TestNotices(t *testing.T) {
	l := fsm.Limits{MaxMemory: 2 << 30}
	file := func(max int64) *File { return &File{MaxMemory: max} }
	for _, c := range []struct {
		nodes []Node
		set   bool
		want  string
	}{
		{nil, false, "no limit on memory has been set"},
		{[]Node{{"n1", file(2 << 30), 4 << 30}, {"n2", file(Auto), 4 << 30}, {"n3", nil, 0}}, true, ""},
		{[]Node{{"n1", file(1 << 30), 4 << 30}}, true, "n1: its file says max_memory = 1GiB, when_full = evict, quota = none; the cluster has max_memory = 2GiB"},
		{[]Node{{"n1", file(Auto), 2 << 30}}, true, "n1: it has 2.0 GiB of memory, and the limit of 2GiB takes up to 3.0 GiB"},
	} {
		got := strings.Join(Notices(c.nodes, l, c.set), "; ")
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{Auto: "auto", 0: "none", 1: "1B", 1000: "1000B", 1 << 10: "1KiB", 1536 << 20: "1536MiB", 5 << 40: "5120GiB"} {
		if got := Size(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}
