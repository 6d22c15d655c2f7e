package fsm

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"ciderd/internal/cache"
)

func limits(l Limits) Command {
	c := Command{Op: OpLimits, N: l.MaxMemory, Limit: l.Quota}
	if l.Reject {
		c.Flags = FlagReject
	}
	return c
}

func (n *node) usage() Usage {
	u, _ := n.Shares().Of(1)
	return u
}

// fillTo stores items of 1 KiB until one is refused, and returns the memory and why.
func (n *node) fillTo(most int) (int64, Kind) {
	value := strings.Repeat("v", 8<<10)
	for i := range most {
		if r := n.do(2, set(fmt.Sprint("fill", i), value))[0]; r.Kind != KindOK {
			return n.Shares().Memory(), r.Kind
		}
	}
	return n.Shares().Memory(), KindOK
}

// Without a leader that evicts, memory ends at the net; where nothing is evicted, at the limit.
func TestMemoryEndsAtItsBound(t *testing.T) {
	const limit, quota = 20 << 20, 1 << 20
	for _, c := range []struct {
		limits Limits
		most   int64
		why    Kind
	}{
		{Limits{MaxMemory: limit}, limit + limit/8 + netMemory, KindAtLimit},
		{Limits{MaxMemory: limit, Reject: true}, limit, KindAtLimit},
		{Limits{Quota: quota}, quota + quota/8 + netQuota, KindQuota},
		{Limits{Quota: quota, Reject: true}, quota, KindQuota},
	} {
		n := withUser(t)
		n.one(1, limits(c.limits), Result{Kind: KindOK})
		got, why := n.fillTo(100_000)
		if one := cache.MemoryOf(9, 8<<10, false); why != c.why || got > c.most || got < c.most-one {
			t.Errorf("%+v: %d and kind %d, want %d and %d", c.limits, got, why, c.most, c.why)
		}
		n.one(3, set("fill0", strings.Repeat("w", 8<<10)), Result{Kind: KindOK}) // does not grow
		n.one(3, once("i", set("more", strings.Repeat("w", 8<<10))), Result{Kind: c.why})
		n.one(3, Command{Op: OpDelete, User: 1, Words: words("fill1", "fill2")}, Result{Kind: KindInt, N: 2})
		n.one(3, once("i", set("more", strings.Repeat("w", 8<<10))), Result{Kind: KindOK}) // was not remembered
		n.one(3, Command{Op: OpExpire, User: 1, Key: []byte("fill3"), TTL: 60_000}, Result{Kind: KindOK})
		n.one(3, Command{Op: OpFlush, User: 1}, Result{Kind: KindOK})
		sameDump(t, "the copy", n.copied().FSM, n.FSM)
	}
}

// What is larger than the quota is refused at once, and one item as much as an MSET.
func TestLargerThanTheQuota(t *testing.T) {
	n := withUser(t)
	n.one(1, Command{Op: OpQuota, User: 1, N: MinQuota}, Result{Kind: KindOK})
	n.one(2, set("k", strings.Repeat("v", MinQuota)), Result{Kind: KindQuota})
	half := strings.Repeat("v", MinQuota/2)
	n.one(2, Command{Op: OpMSet, User: 1, Words: words("a", half, "b", half)}, Result{Kind: KindQuota})
	if n.len() != 0 {
		t.Errorf("%d items", n.len())
	}
	n.one(2, set("k", half), Result{Kind: KindOK})
	n.one(2, Command{Op: OpAppend, User: 1, Key: []byte("k"), Value: []byte(half)}, Result{Kind: KindQuota})
}

// What cannot be evicted is bounded by itself.
func TestFixedMemoryIsBounded(t *testing.T) {
	n := withUser(t)
	n.one(1, limits(Limits{MaxMemory: MinMemory}), Result{Kind: KindOK})
	n.one(1, limits(Limits{MaxMemory: MinMemory, Reject: true}), Result{Kind: KindOK})
	made := 0
	for ; ; made++ {
		if r := n.do(1, register(fmt.Sprint("user", made)))[0]; r.Kind == KindAtLimit {
			break
		}
	}
	if fixed := n.state.Load().ledger.fixed.Load(); fixed > MinMemory/4 || fixed < MinMemory/4-2*accountMemory {
		t.Errorf("accounts take %d of %d", fixed, MinMemory)
	}
	// Nobody else may fix more, but who has it reserved.
	refused := once("refused", Command{Op: OpFlush, User: 1})
	for i := range 10 { // there is less left than an account takes
		n.do(2, once(fmt.Sprint("rest", i), Command{Op: OpFlush, User: 1}))
	}
	if r := n.do(2, refused)[0]; r.Kind != KindQuota {
		t.Errorf("an id beyond a quarter of the limit: %v", r)
	}
	n.one(2, Command{Op: OpReserve, User: 1, N: 1 << 20}, Result{Kind: KindOK})
	n.one(2, refused, Result{Kind: KindOK})
	n.one(2, Command{Op: OpReserve, User: 1}, Result{Kind: KindOK})
	n.one(2, limits(Limits{}), Result{Kind: KindOK})
	n.one(1, Command{Op: OpQuota, User: 1, N: MinQuota}, Result{Kind: KindOK})
	ids := 0
	for ; ; ids++ {
		if r := n.do(2, once(fmt.Sprint(ids), set("k", "v")))[0]; r.Kind == KindQuota {
			break
		}
	}
	if u := n.usage(); u.Fixed > u.Guarantee || u.Fixed < u.Guarantee-2*onceIDMemory || ids < 100 {
		t.Errorf("after %d ids: %+v", ids, u)
	}
	n.one(2, once("0", set("k", "w")), Result{Kind: KindOK}) // it is remembered
}

// A user that no longer uses ONCE keeps what was promised, and no more: other entries forget the rest.
func TestIdleUsersForget(t *testing.T) {
	for _, limited := range []bool{false, true} {
		n := withUser(t)
		if limited {
			n.one(1, limits(Limits{}), Result{Kind: KindOK})
		}
		fill(n, 10, 0, 3000)
		n.one(10, register("bob"), Result{Kind: KindUser, N: 2})
		other := Command{Op: OpPersist, User: 2, Key: []byte("k")}
		for range 40 {
			n.one(10+onceAge-1, other, Result{Kind: KindNotFound})
		}
		if !n.remembers(0) {
			t.Error("an id younger than ten minutes was forgotten")
		}
		for range 40 {
			n.one(10+onceAge, other, Result{Kind: KindNotFound})
		}
		if got := len(n.state.Load().users.byID[1].once.order); (got == onceCount) != limited {
			t.Errorf("limited: %v: %d ids are left", limited, got)
		}
		sameDump(t, "a copy", n.copied().FSM, n.FSM)
	}
}

// A batch of many short deadlines removes as many of those that are due, once every server reads what bounds memory.
func TestExpiryKeepsUp(t *testing.T) {
	for _, limited := range []bool{false, true} {
		n := withUser(t)
		if limited {
			n.one(1, limits(Limits{}), Result{Kind: KindOK})
		}
		fillWithDeadlines(n, 1000, 4000)
		var batch []Command
		for i := range 1000 {
			batch = append(batch, setFor(fmt.Sprint("new", i), "v", 60_000))
		}
		n.do(10_000, batch...)
		want := 4000 + 1000 - expirePerBatch
		if limited {
			want = 4000 + 1000 - 2000
		}
		if n.len() != want {
			t.Errorf("limited: %v: %d items, want %d", limited, n.len(), want)
		}
	}
}

// An entry of an eviction that is not what was proposed is refused, at the door and by Apply.
func TestMalformedEvictions(t *testing.T) {
	good := AppendEviction(nil, &Eviction{Epoch: 1, Target: 1 << 20, Victims: []Victim{{1, []byte("k"), 7}, {2, []byte("l"), 8}}})
	if err := Check(good); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x40
		if Check(bad) == nil {
			t.Errorf("byte %d is not checked", i)
		}
	}
	for n := range good {
		if Check(good[:n]) == nil {
			t.Errorf("its first %d bytes pass", n)
		}
	}
	for name, e := range map[string]*Eviction{
		"a target below 0": {Target: -1}, "room below 0": {Room: -1}, "much room": {Room: MaxRoom + 1}, "an empty key": {Victims: []Victim{{User: 1}}},
		"too many": {Victims: make([]Victim, MaxVictims+1)},
	} {
		if Check(AppendEviction(nil, e)) == nil {
			t.Error(name)
		}
	}
	behind := append(append([]byte(nil), good...), 0)
	binary.LittleEndian.PutUint32(behind[2:], checksum(behind))
	if Check(behind) == nil {
		t.Error("bytes behind it")
	}
	if _, err := ReadHeader(good); err == nil {
		t.Error("it passes for a batch")
	}
	old := append([]byte(nil), good...)
	old[0] = version3
	binary.LittleEndian.PutUint32(old[2:], checksum(old))
	if Check(old) == nil {
		t.Error("in an entry of a version that has none")
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What is fixed is counted for at least what it takes, and not for much more.
func TestFixedMemoryIsReal(t *testing.T) {
	const users, ids = 10_000, 20_000
	n := newNode(t, "a/1")
	before, hash := heapInUse(), strings.Repeat("h", 60)
	for i := range users {
		c := register(fmt.Sprintf("someone-%06d", i))
		c.Value = []byte(hash)
		n.do(1, c)
		clear(n.told)
		n.order, n.stamps = n.order[:0], n.stamps[:0]
	}
	real, counted := heapInUse()-before, n.Shares().Memory()
	t.Logf("a user takes %d, counted %d", real/users, counted/users)
	if real > counted || real < counted/2 {
		t.Errorf("a user takes %d, counted %d", real/users, counted/users)
	}
	before = heapInUse()
	for i := range ids {
		n.do(1, once(fmt.Sprintf("%032d", i), Command{Op: OpPersist, User: 1, Key: []byte("k")}))
		clear(n.told)
		n.order, n.stamps = n.order[:0], n.stamps[:0]
	}
	real, counted = heapInUse()-before, n.Shares().Memory()-counted
	t.Logf("an id takes %d, counted %d", real/ids, counted/ids)
	if real > counted || real < counted/2 {
		t.Errorf("an id takes %d, counted %d", real/ids, counted/ids)
	}
	runtime.KeepAlive(n)
}

// Shares are read while passwords are changed.
func TestSharesWhileUsersChange(t *testing.T) {
	n := withUser(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	defer close(stop)
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			n.Shares().Each(func(id uint64, u Usage) {
				if id != 1 || u.Memory == 0 {
					t.Errorf("user %d: %+v", id, u)
				}
			})
		}
	})
	for range 500 {
		n.one(2, Command{Op: OpPasswd, User: 1, Arg: []byte("hash"), Value: []byte("hash")}, Result{Kind: KindOK})
	}
}

// No amount in the log makes a sum overflow: such a limit would refuse everything.
func TestAmountsHaveABound(t *testing.T) {
	n := withUser(t)
	for _, c := range []Command{
		limits(Limits{MaxMemory: math.MaxInt64}), limits(Limits{Quota: math.MaxInt64}),
		{Op: OpQuota, User: 1, N: math.MaxInt64}, {Op: OpReserve, User: 1, N: math.MaxInt64},
	} {
		n.one(1, c, Result{})
		n.one(1, set("k", "value"), Result{Kind: KindOK})
		n.one(1, Command{Op: OpFlush, User: 1}, Result{Kind: KindOK})
	}
	n.one(1, limits(Limits{MaxMemory: MaxLimit, Quota: MaxLimit}), Result{Kind: KindOK})
	n.one(1, set("k", "value"), Result{Kind: KindOK})
}
