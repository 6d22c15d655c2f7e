package cluster

import (
	"bytes"
	"errors"
	"math"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

func aBatch(incarnation, sequence uint64) []byte {
	c := fsm.Command{Op: fsm.OpSweep}
	return fsm.AppendBatch(nil, fsm.Header{Origin: []byte("n2/1"), Incarnation: incarnation, Sequence: sequence, Count: 1, Stamp: 1},
		fsm.AppendCommand(nil, &c))
}

// append5 is a leader's message in term 5, behind entry 100 of term 4.
func append5(change func(*raft.AppendEntriesRequest)) *raft.AppendEntriesRequest {
	m := &raft.AppendEntriesRequest{
		RPCHeader: headerOf("n2/1"), Term: 5, PrevLogEntry: 100, PrevLogTerm: 4, LeaderCommitIndex: 99,
		Entries: []*raft.Log{
			{Index: 101, Term: 4, Type: raft.LogCommand, Data: aBatch(1, 1)},
			{Index: 102, Term: 5, Type: raft.LogNoop},
			{Index: 103, Term: 5, Type: raft.LogConfiguration, Data: aConfiguration},
			{Index: 104, Term: 5, Type: raft.LogBarrier},
		},
	}
	change(m)
	return m
}

// What a leader sends passes; what none can send does not.
func TestImpossibleMessages(t *testing.T) {
	p := progress{term: 5, last: 100}
	good := []any{
		append5(func(*raft.AppendEntriesRequest) {}),
		append5(func(m *raft.AppendEntriesRequest) { m.Entries = nil }),
		&raft.AppendEntriesRequest{RPCHeader: headerOf("n2/1"), Term: 5 + maxTermAhead}, // a heartbeat
		&raft.RequestVoteRequest{RPCHeader: headerOf("n2/1"), Term: 9, LastLogIndex: 1 << 40, LastLogTerm: 8},
		&raft.TimeoutNowRequest{RPCHeader: headerOf("n2/1")},
	}
	for _, m := range good {
		if err := p.check(m, "n2/1"); err != nil {
			t.Errorf("%T: %v", m, err)
		}
	}
	with := func(i int, change func(*raft.Log)) *raft.AppendEntriesRequest {
		return append5(func(m *raft.AppendEntriesRequest) { change(m.Entries[i]) })
	}
	install := func(change func(*raft.InstallSnapshotRequest)) *raft.InstallSnapshotRequest {
		m := &raft.InstallSnapshotRequest{
			RPCHeader: headerOf("n2/1"), SnapshotVersion: raft.SnapshotVersionMax, Term: 5, LastLogIndex: 100, LastLogTerm: 5,
			Configuration: aConfiguration, ConfigurationIndex: 1, Size: 10,
		}
		change(m)
		return m
	}
	if err := p.check(install(func(*raft.InstallSnapshotRequest) {}), "n2/1"); err != nil {
		t.Error(err)
	}
	noVoter := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "a/1", Address: "a/1", Suffrage: raft.Nonvoter}}})
	for name, m := range map[string]any{
		"another's id":         &raft.TimeoutNowRequest{RPCHeader: headerOf("n3/1")},
		"no id":                &raft.TimeoutNowRequest{},
		"a term of the end":    &raft.AppendEntriesRequest{RPCHeader: headerOf("n2/1"), Term: math.MaxUint64},
		"a term too far":       &raft.AppendEntriesRequest{RPCHeader: headerOf("n2/1"), Term: 5 + maxTermAhead + 1},
		"a candidate's":        &raft.RequestVoteRequest{RPCHeader: headerOf("n2/1"), Term: math.MaxUint64},
		"a pre-candidate's":    &raft.RequestPreVoteRequest{RPCHeader: headerOf("n2/1"), Term: math.MaxUint64},
		"a candidate's log":    &raft.RequestVoteRequest{RPCHeader: headerOf("n2/1"), Term: 6, LastLogTerm: 7},
		"an index of the end":  &raft.RequestVoteRequest{RPCHeader: headerOf("n2/1"), Term: 6, LastLogIndex: math.MaxUint64},
		"a commit of nothing":  &raft.AppendEntriesRequest{RPCHeader: headerOf("n2/1"), Term: 5, LeaderCommitIndex: 100},
		"a previous too far":   append5(func(m *raft.AppendEntriesRequest) { m.PrevLogEntry = math.MaxUint64 }),
		"a previous later":     append5(func(m *raft.AppendEntriesRequest) { m.PrevLogTerm = 6 }),
		"a nil entry":          append5(func(m *raft.AppendEntriesRequest) { m.Entries[1] = nil }),
		"a gap":                append5(func(m *raft.AppendEntriesRequest) { m.Entries = m.Entries[1:] }),
		"twice the same":       append5(func(m *raft.AppendEntriesRequest) { m.Entries[1] = m.Entries[0] }),
		"an earlier term":      with(1, func(e *raft.Log) { e.Term = 3 }),
		"a later term":         with(3, func(e *raft.Log) { e.Term = 6 }),
		"no term":              with(0, func(e *raft.Log) { e.Term = 0 }),
		"an unknown type":      with(1, func(e *raft.Log) { e.Type = 77 }),
		"a type of the past":   with(1, func(e *raft.Log) { e.Type = raft.LogAddPeerDeprecated }),
		"an unreadable batch":  with(0, func(e *raft.Log) { e.Data = []byte("no batch") }),
		"an incarnation":       with(0, func(e *raft.Log) { e.Data = aBatch(math.MaxUint64, 1) }),
		"a configuration":      with(2, func(e *raft.Log) { e.Data = []byte{0xc1} }),
		"an empty one":         with(2, func(e *raft.Log) { e.Data = nil }),
		"one without a voter":  with(2, func(e *raft.Log) { e.Data = noVoter }),
		"one of empty maps":    with(2, func(e *raft.Log) { e.Data = bytes.Repeat([]byte{0x80}, 13<<20) }),
		"a snapshot's":         install(func(m *raft.InstallSnapshotRequest) { m.Configuration = []byte{0xc1} }),
		"a snapshot's term":    install(func(m *raft.InstallSnapshotRequest) { m.Term = math.MaxUint64 }),
		"a snapshot's index":   install(func(m *raft.InstallSnapshotRequest) { m.LastLogIndex = math.MaxUint64 }),
		"a snapshot's size":    install(func(m *raft.InstallSnapshotRequest) { m.Size = -1 }),
		"a snapshot's version": install(func(m *raft.InstallSnapshotRequest) { m.SnapshotVersion = 0 }),
	} {
		if err := p.check(m, "n2/1"); !errors.Is(err, errImpossible) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// receiving gives the receiver of a node b on a connection and ends that; it returns how many messages Raft got.
func receiving(t *testing.T, send func(conn net.Conn)) (got int) {
	t.Helper()
	r := newReceiver(t.Context(), hclog.NewNullLogger(), func() progress { return progress{5, 100} },
		testNetwork(peer.Identity{}, nil), func(string) {})
	here, there := net.Pipe()
	served, stop := make(chan struct{}), make(chan struct{})
	go func() {
		r.serve(here, peer.Identity{ServerID: "n2/1"})
		close(served)
	}()
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		for {
			select {
			case rpc := <-r.consumer:
				got++
				rpc.Respond(&raft.AppendEntriesResponse{}, nil)
			case <-stop:
				return
			}
		}
	}()
	go func() { _, _ = bytes.NewBuffer(nil).ReadFrom(there) }()
	_ = there.SetWriteDeadline(time.Now().Add(patience))
	send(there)
	there.Close()
	<-served
	close(stop)
	<-counted
	return got
}

// A few bytes never become gigabytes, whatever they say that they are.
func TestMessagesThatGrow(t *testing.T) {
	str := func(s string) []byte { return append([]byte{0xa0 | byte(len(s))}, s...) }
	for name, message := range map[string][]byte{
		"entries that are empty maps": append(append(append([]byte{typeAppendEntries, 0x81}, str("Entries")...), 0xdd, 0, 0xd0, 0, 0),
			bytes.Repeat([]byte{0x80}, 13<<20)...),
		"a map of maps":        append([]byte{typeAppendEntries, 0xdf, 0, 0xd0, 0, 0}, bytes.Repeat([]byte{0x80}, 13<<20)...),
		"depth":                append([]byte{typeRequestVote}, bytes.Repeat([]byte{0x91}, 13<<20)...),
		"text of 4 GiB":        append(append(append([]byte{typeRequestVote, 0x81}, str("Candidate")...), 0xdb, 0xff, 0xff, 0xff, 0xff), make([]byte, 1<<20)...),
		"text that is not all": append(append(append([]byte{typeAppendEntries, 0x81}, str("Leader")...), 0xdb, 0x0f, 0xff, 0xff, 0xff), 1, 2, 3),
		"an unknown type":      {77, 1, 2, 3},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got := receiving(t, func(conn net.Conn) { _, _ = conn.Write(message) }); got != 0 {
			t.Errorf("%s: Raft got %d messages", name, got)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 8<<20 {
			t.Errorf("%s: took %d MiB", name, took>>20)
		}
	}
}

// What a message is decoded into is its own: the next one is read where this one was.
func TestMessagesKeepTheirBytes(t *testing.T) {
	inBubble(t, func(t *testing.T, r *receiver, sender *raft.NetworkTransport, _ <-chan string) {
		var kept []*raft.AppendEntriesRequest
		go func() {
			for rpc := range r.consumer {
				kept = append(kept, rpc.Command.(*raft.AppendEntriesRequest))
				rpc.Respond(&raft.AppendEntriesResponse{}, nil)
				if len(kept) == 2 {
					return
				}
			}
		}()
		for i := range 2 {
			m := append5(func(m *raft.AppendEntriesRequest) { m.Entries[0].Data = aBatch(uint64(i+1), 1) })
			if err := sender.AppendEntries("n1/1", "n1/1", m, &raft.AppendEntriesResponse{}); err != nil {
				t.Fatal(err)
			}
		}
		for i, m := range kept {
			want := append5(func(m *raft.AppendEntriesRequest) { m.Entries[0].Data = aBatch(uint64(i+1), 1) })
			for j, e := range m.Entries {
				w := want.Entries[j]
				if e.Index != w.Index || e.Term != w.Term || e.Type != w.Type || !bytes.Equal(e.Data, w.Data) {
					t.Errorf("message %d, entry %d: %+v", i, j, e)
				}
			}
			if m.Term != 5 || m.PrevLogEntry != 100 || m.LeaderCommitIndex != 99 || string(m.ID) != "n2/1" {
				t.Errorf("message %d: %+v", i, m)
			}
		}
	})
}

// A message that has begun and does not come on ends its connection in time, however slowly it comes, and
// nobody waits for it until then.
func TestUnfinishedMessageEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		receiving(t, func(conn net.Conn) {
			_ = conn.SetWriteDeadline(time.Time{})
			_, _ = conn.Write([]byte{typeRequestVote, 0x81, 0xdb, 0, 0, 0xff, 0xff})
			for {
				if _, err := conn.Write([]byte{'x'}); err != nil {
					break
				}
				time.Sleep(stallLimit / 2) // of the bubble's time
			}
		})
		if took := time.Since(start); took > peer.MessageTime+stallLimit {
			t.Errorf("it took %v", took)
		}
	})
}

// One node of three is not itself: whatever it says, the others go on, and none has stored what it said.
func TestStrangeMessagesChangeNothing(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	gone := c.followers()[0].network.Self
	c.stop(gone.Node)
	stranger := c.impostor(gone)
	term := c.leader().raft.CurrentTerm()
	for name, say := range map[string]func(*raft.AppendEntriesRequest){
		"a term of the end":   func(m *raft.AppendEntriesRequest) { m.Term = math.MaxUint64 },
		"an unreadable entry": func(m *raft.AppendEntriesRequest) { m.Entries[0].Data = []byte("no entry") },
		"a nil entry":         func(m *raft.AppendEntriesRequest) { m.Entries[0] = nil },
		"no configuration": func(m *raft.AppendEntriesRequest) {
			m.Entries[0].Type, m.Entries[0].Data = raft.LogConfiguration, []byte{0xc1}
		},
	} {
		for _, n := range c.nodes {
			last := n.raft.LastIndex()
			var entry raft.Log
			if err := n.storage.Logs.GetLog(last, &entry); err != nil {
				t.Fatal(err)
			}
			m := &raft.AppendEntriesRequest{
				RPCHeader: stranger.header(), Term: n.raft.CurrentTerm(), PrevLogEntry: last, PrevLogTerm: entry.Term,
				Entries: []*raft.Log{{Index: last + 1, Term: entry.Term, Type: raft.LogCommand, Data: aBatch(1, 1)}},
			}
			say(m)
			id := n.raft.self
			if err := stranger.AppendEntries(raft.ServerID(id), raft.ServerAddress(id), m, &raft.AppendEntriesResponse{}); err == nil {
				t.Errorf("%s: %s takes it", name, n.config.Node)
			}
		}
		c.set(c.leader(), "k", name)
	}
	if now := c.leader().raft.CurrentTerm(); now != term {
		t.Errorf("term %d, and now %d", term, now)
	}
}
