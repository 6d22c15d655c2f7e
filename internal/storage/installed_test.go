package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// recorder is an FSM that remembers what it is given.
type recorder struct {
	mu   sync.Mutex
	seen []string
}

func (r *recorder) add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, text)
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

func (r *recorder) Apply(l *raft.Log) any               { r.add(string(l.Data)); return nil }
func (r *recorder) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("none") }
func (r *recorder) Restore(from io.ReadCloser) error {
	text, err := io.ReadAll(from)
	r.add(string(text))
	return errors.Join(err, from.Close())
}

// raftServer is Raft over a directory, and a wire.
type raftServer struct {
	*raft.Raft
	store *Storage
	wire  *raft.InmemTransport
	fsm   *recorder
}

var three = raft.Configuration{Servers: []raft.Server{{ID: "x", Address: "x"}, {ID: "y", Address: "y"}, {ID: "z", Address: "z"}}}

// startRaft starts one whose log is made of entries of term 1, from the second on.
func startRaft(t *testing.T, id string, entries ...string) *raftServer {
	t.Helper()
	s := &raftServer{store: mustOpen(t, t.TempDir()), fsm: &recorder{}}
	logs := []*raft.Log{{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(three)}}
	for i, text := range entries {
		logs = append(logs, &raft.Log{Index: uint64(i + 2), Term: 1, Data: []byte(text)})
	}
	if err := errors.Join(s.store.Stable.SetUint64([]byte("CurrentTerm"), 1), s.store.Logs.StoreLogs(logs)); err != nil {
		t.Fatal(err)
	}
	_, s.wire = raft.NewInmemTransport(raft.ServerAddress(id))
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.MaxAppendEntries = raft.ServerID(id), hclog.NewNullLogger(), 2
	var err error
	if s.Raft, err = raft.NewRaft(c, s.fsm, s.store.Logs, s.store.Stable, s.store.Snapshots, s.wire); err != nil {
		t.Fatal(err)
	}
	s.store.Serve(Hooks{
		HangLimit: func() time.Duration { return time.Minute }, NoSpace: func() {},
		Leads: func() bool { return s.State() == raft.Leader }, Snapshot: s.lastSnapshot,
	})
	t.Cleanup(func() {
		if err := s.Shutdown().Error(); err != nil {
			t.Error(err)
		}
		mustClose(t, s.store)
	})
	return s
}

func (s *raftServer) lastSnapshot() (index, term uint64) {
	index, _ = strconv.ParseUint(s.Stats()["last_snapshot_index"], 10, 64)
	term, _ = strconv.ParseUint(s.Stats()["last_snapshot_term"], 10, 64)
	return index, term
}

// leaderZ speaks to a server as z, the leader of a term.
type leaderZ struct {
	t    *testing.T
	wire *raft.InmemTransport
	to   raft.ServerID
	term uint64
}

func asZ(t *testing.T, s *raftServer, id string, term uint64) *leaderZ {
	_, wire := raft.NewInmemTransport("z")
	wire.Connect(raft.ServerAddress(id), s.wire)
	return &leaderZ{t, wire, raft.ServerID(id), term}
}

func (z *leaderZ) header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("z"), Addr: []byte("z")}
}

func (z *leaderZ) install(index, term uint64, state string) {
	z.t.Helper()
	var r raft.InstallSnapshotResponse
	err := z.wire.InstallSnapshot(z.to, raft.ServerAddress(z.to), &raft.InstallSnapshotRequest{
		RPCHeader: z.header(), SnapshotVersion: 1, Term: z.term, Leader: []byte("z"), LastLogIndex: index, LastLogTerm: term,
		Configuration: raft.EncodeConfiguration(three), ConfigurationIndex: 1, Size: int64(len(state)),
	}, &r, bytes.NewBufferString(state))
	if err != nil || !r.Success {
		z.t.Fatalf("installing %d: %v, %v", index, r.Success, err)
	}
}

// add sends entries of z's term behind prev, and returns whether they were taken.
func (z *leaderZ) add(prev, prevTerm, commit uint64, entries ...string) bool {
	z.t.Helper()
	var logs []*raft.Log
	for i, text := range entries {
		logs = append(logs, &raft.Log{Index: prev + 1 + uint64(i), Term: z.term, Data: []byte(text)})
	}
	var r raft.AppendEntriesResponse
	err := z.wire.AppendEntries(z.to, raft.ServerAddress(z.to), &raft.AppendEntriesRequest{
		RPCHeader: z.header(), Term: z.term, PrevLogEntry: prev, PrevLogTerm: prevTerm,
		Entries: logs, LeaderCommitIndex: commit,
	}, &r)
	if err != nil {
		z.t.Fatal(err)
	}
	return r.Success
}

func numbered(from, to int, text string) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprint(text, i))
	}
	return list
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 30 s: ", what)
		}
	}
}

// What an installed snapshot took the place of is sent to nobody: it was never committed.
func TestStaleEntriesAreNotSent(t *testing.T) {
	committed := numbered(2, 10, "committed ")
	x := startRaft(t, "x", append(committed, numbered(11, 13, "stale ")...)...)
	y := startRaft(t, "y", committed...)
	z := asZ(t, x, "x", 2)
	z.install(100, 2, "state at 100")
	if !z.add(100, 2, 101, "new 101") {
		t.Fatal("nothing can be appended to the snapshot")
	}
	x.wire.Connect("y", y.wire)
	y.wire.Connect("x", x.wire)
	await(t, "y has what x has", func() bool { return slices.Contains(y.fsm.all(), "new 101") })
	for _, text := range y.fsm.all() {
		if len(text) > 5 && text[:5] == "stale" {
			t.Errorf("y applied %q of %q", text, y.fsm.all())
		}
	}
}

// A log that goes past a snapshot keeps what is behind it, which may have been acknowledged, and loses
// that when the next entries say so; the leader need not send a snapshot for it.
func TestSnapshotInsideALog(t *testing.T) {
	for name, other := range map[string]bool{"its own entries": false, "another's entries": true} {
		t.Run(name, func(t *testing.T) {
			x := startRaft(t, "x", numbered(2, 20, "entry ")...)
			term := uint64(1)
			if other {
				term = 2
			}
			z := asZ(t, x, "x", 3)
			z.install(10, term, "state at 10")
			first, _ := x.store.Logs.FirstIndex()
			last, _ := x.store.Logs.LastIndex()
			if first != 11 || last != 20 {
				t.Fatalf("the log is %d to %d", first, last)
			}
			if !z.add(10, term, 0) {
				t.Fatal("refused what follows the snapshot")
			}
			if z.add(10, term+1, 0) {
				t.Fatal("took what follows another entry 10")
			}
			if !z.add(10, term, 11, "new 11") {
				t.Fatal("refused entry 11")
			}
			last, _ = x.store.Logs.LastIndex()
			want := []string{"state at 10", "new 11"}
			await(t, "entry 11", func() bool { return len(x.fsm.all()) == 2 })
			if got := x.fsm.all(); last != 11 || !slices.Equal(got, want) {
				t.Errorf("the log ends at %d, applied %q, want 11 and %q", last, got, want)
			}
		})
	}
}

// What stands for a snapshot's end is for a follower's comparison: it is neither stored nor sent.
func TestStandIn(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	defer mustClose(t, s)
	write(t, s, 12)
	leads := false
	snap := uint64(11)
	s.Serve(Hooks{
		HangLimit: func() time.Duration { return time.Minute }, NoSpace: func() {},
		Leads: func() bool { return leads }, Snapshot: func() (uint64, uint64) { return snap, 1 },
	})
	var l raft.Log
	if err := s.Logs.GetLog(11, &l); err != nil || l.Index != 11 || l.Term != 1 {
		t.Fatalf("a follower's entry 11: %+v, %v", l, err)
	}
	if err := s.Logs.StoreLog(&l); err == nil {
		t.Error("it could be stored")
	}
	for _, index := range []uint64{10, 13} {
		if err := s.Logs.GetLog(index, &l); !errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("entry %d: %v", index, err)
		}
	}
	leads = true
	if err := s.Logs.GetLog(11, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("a leader's entry 11: %v", err)
	}
	leads, snap = false, 13
	if err := s.Logs.GetLog(13, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("entry 13, with the log of before: %v", err)
	}
}

// An end of the process between a snapshot and the removal of the log before it is made up for; a log
// that belongs to the snapshot stays.
func TestOldLogGoesAtOpen(t *testing.T) {
	for _, c := range []struct{ entries, snapshot, first, last uint64 }{
		{5, 10, 0, 0}, {5, 5, 1, 5}, {8, 5, 1, 8},
	} {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		for i := range c.entries {
			write(t, s, i+1)
		}
		snapshot(t, s, c.snapshot, true)
		mustClose(t, s)
		s = mustOpen(t, dir)
		first, _ := s.Logs.FirstIndex()
		last, _ := s.Logs.LastIndex()
		mustClose(t, s)
		if first != c.first || last != c.last {
			t.Errorf("%+v: the log is %d to %d", c, first, last)
		}
	}
}

// A log whose last entry is at the snapshot's index, and is another one, ends the process: Raft would
// compare with that one's term until it is started anew.
func TestOtherEntryAtTheEnd(t *testing.T) {
	f := &failing{}
	c, fatal := checkedOver(t, f)
	for i := range uint64(5) {
		if err := c.StoreLog(&raft.Log{Index: i + 1, Term: 1}); err != nil {
			t.Fatal(err)
		}
	}
	c.hooks.Store(&Hooks{Leads: func() bool { return false }, Snapshot: func() (uint64, uint64) { return 5, 2 }})
	if err := c.DeleteRange(1, 5); err != nil || len(*fatal) != 1 {
		t.Errorf("%v, fatal %v", err, *fatal)
	}
	if last, err := c.LastIndex(); last != 0 || err != nil {
		t.Errorf("the log ends at %d, %v", last, err)
	}
}
