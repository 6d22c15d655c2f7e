package membership

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/peer"
	"ciderd/internal/storage"
)

// fakeRaft is a log that the test makes up. It remembers what was changed.
type fakeRaft struct {
	leads    bool
	servers  Servers
	snapshot Servers
	last     uint64
	changed  []string
}

func (f *fakeRaft) Leads() bool            { return f.leads }
func (f *fakeRaft) Leader() string         { return "" }
func (f *fakeRaft) Term() uint64           { return 1 }
func (f *fakeRaft) LastIndex() uint64      { return f.last }
func (f *fakeRaft) Applied() uint64        { return f.last }
func (f *fakeRaft) Servers() Servers       { return f.servers }
func (f *fakeRaft) CanBeTerm(uint64) error { return nil }
func (f *fakeRaft) SnapshotServers() (uint64, Servers, error) {
	return f.last, f.snapshot, nil
}
func (f *fakeRaft) Confirm(time.Duration) error { return nil }

func (f *fakeRaft) change(what, id string) error {
	f.changed = append(f.changed, what+" "+id)
	return nil
}
func (f *fakeRaft) Bootstrap(Servers) error      { return f.change("bootstrap", "") }
func (f *fakeRaft) Admit(id string, _ int) error { return f.change("admit", id) }
func (f *fakeRaft) Promote(id string) error      { return f.change("promote", id) }
func (f *fakeRaft) Remove(id string) error       { return f.change("remove", id) }

func (f *fakeRaft) TransferTo(context.Context, string) error { return f.change("transfer", "") }

type fakeDisk struct{ full bool }

func (d fakeDisk) Low() bool          { return d.full }
func (d fakeDisk) HasForChange() bool { return !d.full }

// made is what parts of the room share, for n1 of n1 and n2, which does not answer.
func made(t *testing.T, r *fakeRaft) *base {
	t.Helper()
	st, err := storage.Open(t.TempDir(), hclog.NewNullLogger(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	self := peer.Identity{Cluster: "test", Node: "n1", ServerID: "n1/a"}
	network := peer.NewNetwork(self, peer.Members{{Name: "n1"}, {Name: "n2", Address: "127.0.0.1:1"}}, nil, hclog.NewNullLogger())
	return &base{
		Config: Config{Network: network, Storage: st, Raft: r, Changes: r, Disk: fakeDisk{}, Fatal: func(err error) { t.Error(err) }, Log: hclog.NewNullLogger()},
		self:   self, ctx: t.Context(),
	}
}

// A leader whose disk has no space for it makes no change, whichever is asked for.
func TestNoChangeWithoutSpace(t *testing.T) {
	r := &fakeRaft{leads: true, servers: Servers{{"n1/a", true}, {"n2/b", true}}}
	b := made(t, r)
	b.Disk = fakeDisk{full: true}
	a := newAdmissions(b)
	for name, change := range map[string]func() error{
		"remove":  func() error { return a.remove("n2/b") },
		"promote": func() error { return a.promote("n2/b") },
		"admit":   func() error { return a.admit("n2", "n2/c") },
	} {
		if err := change(); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(r.changed) > 0 {
		t.Errorf("changed: %v", r.changed)
	}
}

// What a server asks for must be its own, and only the leader answers.
func TestAnswerToJoin(t *testing.T) {
	r := &fakeRaft{servers: Servers{{"n1/a", true}, {"n2/b", true}}}
	a := newAdmissions(made(t, r))
	from := peer.Identity{Node: "n2", ServerID: "n2/b"}
	if got := a.answer(from, "n2/c"); got.Leads || got.Admitted || got.Reason == "" {
		t.Errorf("for another: %+v", got)
	}
	if got := a.answer(from, "n2/b"); got.Leads || got.Admitted {
		t.Errorf("from a follower: %+v", got)
	}
	r.leads = true
	if got := a.answer(from, "n2/b"); !got.Leads || !got.Admitted {
		t.Errorf("of a member: %+v", got)
	}
	a.removed["n2/x"] = true
	if got := a.answer(peer.Identity{Node: "n2", ServerID: "n2/x"}, "n2/x"); !got.Removed {
		t.Errorf("of one that was removed: %+v", got)
	}
	if len(r.changed) > 0 {
		t.Errorf("changed: %v", r.changed)
	}
}

// A server knows that it is a member by a note, a vote, or its newest snapshot; and remembers it.
func TestJoined(t *testing.T) {
	for name, x := range map[string]struct {
		raft fakeRaft
		want bool
	}{
		"nothing":             {fakeRaft{}, false},
		"no vote":             {fakeRaft{servers: Servers{{"n1/a", false}}}, false},
		"a vote":              {fakeRaft{servers: Servers{{"n1/a", true}}}, true},
		"another's snapshot":  {fakeRaft{snapshot: Servers{{"n2/b", true}}}, false},
		"its own in snapshot": {fakeRaft{snapshot: Servers{{"n2/b", true}, {"n1/a", false}}}, true},
	} {
		b := made(t, &x.raft)
		m := newBelonging(b, &recoveries{b})
		if joined, err := m.hasJoined(); joined != x.want || err != nil {
			t.Errorf("%s: %v, %v", name, joined, err)
		}
		if err := m.noteJoined(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if stored, err := b.Storage.Notes().Joined(); stored != x.want || err != nil {
			t.Errorf("%s: stored %v, %v", name, stored, err)
		}
	}
}

// Up to where in the log a server is none of the cluster's is known from committed configurations, in any order.
func TestOutsideAsOf(t *testing.T) {
	r := &fakeRaft{last: 5}
	b := made(t, r)
	m := newBelonging(b, &recoveries{b})
	if got := m.outsideAsOf("n2/b"); got != 0 {
		t.Errorf("nothing is known: %d", got)
	}
	m.committedServers(7, Servers{{"n1/a", true}})
	m.committedServers(3, Servers{{"n2/b", true}})
	if got := m.outsideAsOf("n2/b"); got != 7 {
		t.Errorf("the configuration is ahead of the state: %d", got)
	}
	r.last = 9
	if got := m.outsideAsOf("n2/b"); got != 9 {
		t.Errorf("the state is ahead of the configuration: %d", got)
	}
	if got := m.outsideAsOf("n1/a"); got != 0 {
		t.Errorf("of a member: %d", got)
	}
}

// The old server of a name is taken out once nothing has been heard of it for long enough, and not before.
func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRaft{leads: true, servers: Servers{{"n1/a", true}, {"n2/b", false}}}
		b := made(t, r)
		a := newAdmissions(b)
		time.Sleep(silence - time.Second)
		b.Network.Heard.Note("n2/b")
		for range 3 {
			if err := a.replace("n2/b", "n2/c"); err == nil || len(r.changed) > 0 {
				t.Fatalf("heard of %v ago: %v, %v", b.Network.Silence("n2/b"), err, r.changed)
			}
			time.Sleep(silence/3 - time.Millisecond)
		}
		time.Sleep(time.Second)
		if err := a.replace("n2/b", "n2/c"); err != nil || !slices.Equal(r.changed, []string{"remove n2/b"}) || !a.removed["n2/b"] {
			t.Errorf("silent for %v: %v, %v", b.Network.Silence("n2/b"), err, r.changed)
		}
	})
}
