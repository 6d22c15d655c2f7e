package fsm

import "testing"

func TestABatchIsAppliedOnce(t *testing.T) {
	type step struct {
		origin                string
		incarnation, sequence uint64
		applied               bool
	}
	n := withUser(t)
	want := int64(0)
	for i, s := range []step{
		{"b/2", 3, 2, false}, // its first is missing
		{"b/2", 3, 1, true},
		{"b/2", 3, 1, false}, // sent again
		{"b/2", 3, 2, true},
		{"b/2", 3, 4, false}, // a gap
		{"b/2", 3, 1, false},
		{"b/2", 3, 3, true},
		{"b/2", 2, 1, false}, // an earlier process
		{"b/2", 2, 4, false},
		{"b/2", 4, 2, false}, // a later process, and not its first
		{"b/2", 3, 4, true},  // which has changed nothing
		{"b/2", 6, 1, true},
		{"b/2", 5, 1, false},
		{"b/2", 3, 5, false},
		{"b/3", 1, 1, true}, // the same name with a wiped disk
		{"b/2", 6, 2, true},
	} {
		if i%3 == 0 {
			n = n.copied() // the table is in the snapshot
		}
		h := Header{Origin: []byte(s.origin), Incarnation: s.incarnation, Sequence: s.sequence, Stamp: int64(10 + i)}
		n.feed(entry(h, incr("n")))
		if s.applied {
			want++
		}
		n.one(int64(10+i), Command{Op: OpIncr, User: 1, Key: []byte("n"), N: 0}, Result{Kind: KindInt, N: want})
	}
}

// A batch that is skipped still moves the time, on every node.
func TestSkippedBatchMovesTheTime(t *testing.T) {
	n := withUser(t)
	n.one(100, setFor("k", "v", 50), Result{Kind: KindOK})
	n.feed(entry(Header{Origin: []byte("b/2"), Incarnation: 1, Sequence: 9, Stamp: 150}, set("k", "w")))
	if _, ok := n.Reader(1).Keyspace().Get([]byte("k"), n.stamps[len(n.stamps)-1]); ok {
		t.Error("the item is there at its deadline")
	}
	n.one(90, incr("k"), Result{Kind: KindInt, N: 1}) // at 150, whatever its own stamp says
}

func TestGoneDropsRows(t *testing.T) {
	n := withUser(t)
	for _, id := range []string{"b/2", "c/3"} {
		n.feed(entry(Header{Origin: []byte(id), Incarnation: 1, Sequence: 1, Stamp: 5}, incr("n")))
	}
	n.one(6, Command{Op: OpGone, Words: words("b/2", "d/4")}, Result{Kind: KindOK})
	rows := n.state.Load().origins
	if _, ok := rows["b/2"]; ok || len(rows) != 2 {
		t.Errorf("rows %v", rows)
	}
	if got := n.copied().state.Load().origins; len(got) != 2 || got["c/3"] != rows["c/3"] {
		t.Errorf("a copy's rows: %v", got)
	}
	n.feed(entry(Header{Origin: []byte("b/2"), Incarnation: 1, Sequence: 2, Stamp: 7}, incr("n"))) // of a server that is gone
	n.one(8, incr("n"), Result{Kind: KindInt, N: 3})
}

// The word that a server is gone may come late (its batch is sent again after a failover, or by a node
// that stood still): servers that were let in meanwhile must keep their rows, or their batches would
// be applied twice, and no later one ever.
func TestGoneComesLate(t *testing.T) {
	n := withUser(t)
	first := entry(Header{Origin: []byte("b/9"), Incarnation: 1, Sequence: 1, Stamp: 5}, incr("n"))
	n.feed(first)
	n.one(6, Command{Op: OpGone, Words: words("b/2")}, Result{Kind: KindOK})
	n.feed(first) // sent again
	n.feed(entry(Header{Origin: []byte("b/9"), Incarnation: 1, Sequence: 2, Stamp: 7}, incr("n")))
	n.one(8, incr("n"), Result{Kind: KindInt, N: 3})
}

func TestMalformedCommandEndsItsBatch(t *testing.T) {
	n := withUser(t)
	first, last := incr("n"), incr("n")
	body := AppendCommand(nil, &first)
	body = append(body, byte(opEnd), 0, 0)
	body = AppendCommand(body, &last)
	n.sequence++
	h := Header{Origin: []byte("a/1"), Incarnation: 1, Sequence: n.sequence, Count: 3, Stamp: 5}
	n.feed(AppendBatch(nil, h, body))
	got := n.told[batchID{"a/1", 1, n.sequence}].results
	if len(got) != 3 || got[0] != (Result{Kind: KindInt, N: 1}) || got[1] != (Result{}) || got[2] != (Result{}) {
		t.Errorf("results %v", got)
	}
	n.one(6, incr("n"), Result{Kind: KindInt, N: 2})
}
