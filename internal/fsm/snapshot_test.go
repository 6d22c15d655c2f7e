package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// filled is a node with users, items, deadlines, ids and origins.
func filled(tb testing.TB, items, valueSize int) *node {
	n := withUser(tb)
	n.one(2, Command{Op: OpSignup, Name: []byte("bob"), Value: []byte("hash2")}, Result{Kind: KindUser, N: 2})
	r := rand.New(rand.NewPCG(1, uint64(items)))
	for i := range items {
		c := setFor(fmt.Sprintf("key%d", i), string(someBytes(r, valueSize, valueSize)), int64(i%3)*1000)
		c.User = uint64(1 + i%2)
		if i%4 == 0 {
			c = once(fmt.Sprint("id", i), c)
		}
		n.do(int64(10+i), c)
	}
	n.feed(entry(Header{Origin: []byte("b/2"), Incarnation: 4, Sequence: 1, Stamp: 50}, set("of b", "v")))
	return n
}

// A snapshot is the state at its freeze, though thousands of commands come between that and its
// writing, and more while it is being written.
func TestSnapshotIsFrozen(t *testing.T) {
	n := filled(t, 3000, 100)
	want := n.Dump()
	s := n.snapshot()
	change := func(from int) {
		for i := range 400 {
			k := fmt.Sprintf("key%d", (from+i*7)%3000)
			n.do(int64(20_000+from+i), set(k, "changed"), once(fmt.Sprint("late", from+i), set(k+"new", "x")),
				Command{Op: OpDelete, User: 1, Words: words(fmt.Sprintf("key%d", i))},
				Command{Op: OpExpire, User: 2, Key: []byte(fmt.Sprintf("key%d", i+1)), TTL: 5})
		}
		n.do(30_000, Command{Op: OpPasswd, User: 2, Value: []byte("new"), Arg: []byte("hash2")},
			Command{Op: OpSignup, Name: fmt.Appendf(nil, "late%d", from), Value: []byte("h")})
	}
	change(0)
	n.do(40_000, Command{Op: OpUnregister, User: 2, Arg: []byte("new")}, Command{Op: OpFlush, User: 1})
	var out sink
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Persist(&out); err != nil {
			t.Error(err)
		}
	})
	change(10_000)
	wg.Wait()
	copied := newNode(t, n.self)
	copied.restore(out.Bytes())
	if copied.Dump() != want {
		t.Error("the snapshot is not the state at the time of its freeze")
	}
	if n.Dump() == want {
		t.Error("this test changed nothing")
	}
}

func TestSnapshotOfNothing(t *testing.T) {
	n := newNode(t, "a/1")
	sameDump(t, "an empty copy", n.copied().FSM, n.FSM)
}

// The largest items, and more than one chunk.
func TestSnapshotOfLargeItems(t *testing.T) {
	n := withUser(t)
	r := rand.New(rand.NewPCG(8, 8))
	for i := range 3 {
		key := strings.Repeat("k", maxName-1) + fmt.Sprint(i)
		n.do(5, set(key, string(someBytes(r, maxValue, maxValue))))
	}
	got, want := n.copied().state.Load().store, n.state.Load().store
	if got.Len() != 3 || got.Hash() != want.Hash() {
		t.Errorf("%d items, hash %x, want %x", got.Len(), got.Hash(), want.Hash())
	}
}

func TestPersistOnFullDisk(t *testing.T) {
	n := filled(t, 70, 20_000)
	whole := persist(t, n.snapshot())
	for _, room := range []int{1, len(snapshotHead(snapshotFirst)) + 3, len(whole) / 2, len(whole) - 1} {
		out := sink{room: room}
		if err := n.snapshot().Persist(&out); !errors.Is(err, errDiskFull) {
			t.Errorf("room for %d of %d bytes: error %v", room, len(whole), err)
		}
		if out.closed || !out.cancelled {
			t.Errorf("room for %d of %d bytes: closed %v, cancelled %v", room, len(whole), out.closed, out.cancelled)
		}
	}
}

// damaged must be refused, and leave the state that there was.
func damaged(t *testing.T, n *node, snapshot []byte, how string) {
	t.Helper()
	if _, err := CheckSnapshot(bytes.NewReader(snapshot)); !errors.Is(err, ErrBadSnapshot) {
		t.Errorf("%s: error %v of CheckSnapshot", how, err)
	}
	state, applied := n.state.Load(), n.Applied()
	if err := n.Restore(io.NopCloser(bytes.NewReader(snapshot))); !errors.Is(err, ErrBadSnapshot) {
		t.Errorf("%s: error %v of Restore", how, err)
	}
	if n.state.Load() != state || n.Applied() != applied || len(n.restored) > 0 {
		t.Fatalf("%s: a restore that failed changed the state", how)
	}
}

func TestDamagedSnapshot(t *testing.T) {
	good := persist(t, filled(t, 8, 5).snapshot())
	n := withUser(t)
	want := n.Dump()
	for i := range good {
		damaged(t, n, good[:i], fmt.Sprintf("cut to %d of %d bytes", i, len(good)))
		bad := slices.Clone(good)
		for bit := range 8 {
			bad[i] ^= 1 << bit
			damaged(t, n, bad, fmt.Sprintf("byte %d, bit %d flipped", i, bit))
			bad[i] ^= 1 << bit
		}
	}
	if n.Dump() != want {
		t.Error("restores that failed changed the state")
	}
}

func TestDamagedLargeSnapshot(t *testing.T) {
	good := persist(t, filled(t, 120, 20_000).snapshot())
	if len(good) < 2*chunkSize {
		t.Fatalf("%d bytes are not several chunks", len(good))
	}
	n, r := withUser(t), rand.New(rand.NewPCG(5, 5))
	for range 6 {
		i := r.IntN(len(good))
		damaged(t, n, good[:i], fmt.Sprintf("cut to %d of %d bytes", i, len(good)))
		bad := slices.Clone(good)
		bad[i] ^= 1 << r.IntN(8)
		damaged(t, n, bad, fmt.Sprintf("byte %d of %d changed", i, len(good)))
	}
}

func TestReaderFails(t *testing.T) {
	good := persist(t, filled(t, 8, 5).snapshot())
	broken := errors.New("I/O error")
	r := io.MultiReader(bytes.NewReader(good[:len(good)-3]), &failing{broken})
	if _, err := CheckSnapshot(r); !errors.Is(err, broken) {
		t.Errorf("error %v, want the disk's own", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestNewerSnapshot(t *testing.T) {
	newer := append(sealHead(snapshotNewest+1, "9.8.7"), "what only 9.8.7 knows"...)
	n := withUser(t)
	want := n.Dump()
	for _, err := range []error{n.Restore(io.NopCloser(bytes.NewReader(newer))), func() error {
		_, err := CheckSnapshot(bytes.NewReader(newer))
		return err
	}()} {
		if err == nil || errors.Is(err, ErrBadSnapshot) || !strings.Contains(err.Error(), "install ciderd 9.8.7 or later") {
			t.Errorf("error %v does not say what to install", err)
		}
	}
	if n.Dump() != want {
		t.Error("a restore that failed changed the state")
	}
}

func TestReleaseOfAnyLength(t *testing.T) {
	defer func(r string) { Release = r }(Release)
	for _, Release = range []string{"", "1.2.3", strings.Repeat("v", 1000)} {
		if index, err := CheckSnapshot(bytes.NewReader(persist(t, withUser(t).snapshot()))); err != nil || index != 1 {
			t.Errorf("release of %d bytes: index %d, error %v", len(Release), index, err)
		}
	}
}

// sealed makes a snapshot of any records: what its checksums do not find, the builder must.
func sealed(records []byte) []byte {
	var b bytes.Buffer
	b.Write(snapshotHead(snapshotFirst))
	c := &chunkWriter{w: &b, buf: slices.Clone(records)}
	_ = c.finish() // a bytes.Buffer does not fail
	return b.Bytes()
}

// records are those of a snapshot of one chunk.
func records(tb testing.TB, snapshot []byte) []byte {
	tb.Helper()
	chunks := &chunkReader{r: bytes.NewReader(snapshot[len(snapshotHead(snapshotFirst)):])}
	b, err := chunks.next()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestBadRecords(t *testing.T) {
	good := records(t, persist(t, filled(t, 8, 5).snapshot()))
	if _, err := CheckSnapshot(bytes.NewReader(sealed(good))); err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "a/1")
	user := []byte{tagUser, 1, 1, 'u', 0, 1, 0}
	for name, b := range map[string][]byte{
		"no end":               good[:len(good)-11],
		"behind the end":       append(slices.Clone(good), tagState, 0, 0, 0),
		"unknown tag":          {'?'},
		"item without a user":  {tagItem, 1, 'k', 0, 1, 0},
		"id without a user":    {tagOnce, 1, 'i', 0, 1, 0},
		"item without a key":   append(slices.Clone(user), tagItem, 0, 0, 1, 0),
		"key too long":         append(append(slices.Clone(user), tagItem), append(appendBytes(nil, make([]byte, maxName+1)), 0, 1, 0)...),
		"user 0":               {tagUser, 0, 1, 'u', 0, 1, 0},
		"user twice":           append(slices.Clone(user), user...),
		"other user same name": append(slices.Clone(user), tagUser, 2, 1, 'u', 0, 1, 0),
		"wrong hash":           append(good[:len(good)-1:len(good)-1], good[len(good)-1]^1),
		"nothing":              {},
	} {
		damaged(t, n, sealed(b), name)
	}
	whole := sealed(good)
	damaged(t, n, append(sealHead(0, Release), whole[len(snapshotHead(snapshotFirst)):]...), "format 0")
}

// FuzzRestore takes the bytes as a snapshot, and as the records of one.
func FuzzRestore(f *testing.F) {
	good := persist(f, filled(f, 8, 5).snapshot())
	f.Add(good)
	f.Add(records(f, good))
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, snapshot := range [][]byte{b, sealed(b)} {
			index, err := CheckSnapshot(bytes.NewReader(snapshot))
			if err != nil {
				continue
			}
			n := newNode(t, "a/1")
			n.restore(snapshot)
			if n.Applied() != index {
				t.Fatalf("applied %d, CheckSnapshot said %d", n.Applied(), index)
			}
			sameDump(t, "a copy of what was accepted", n.copied().FSM, n.FSM)
		}
	})
}
