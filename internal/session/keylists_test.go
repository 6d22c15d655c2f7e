package session

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"ciderd/internal/cache"
)

// listed is a list of n keys of a keyspace of its own.
func listed(n int, size int64) (*cache.Keyspace, *keyList) {
	ks := cache.New().Create(1)
	for i := range n {
		ks.Set(fmt.Append(nil, i), nil, 0)
	}
	return ks, &keyList{
		listHead: listHead{owner: &user{}, keyspace: weak.Make(ks), version: ks.Version(), size: size}, keys: make([]uint32, n),
	}
}

func (k *keyLists) add(t *testing.T, l *keyList) {
	t.Helper()
	if !k.reserve(l) {
		t.Fatal("it does not fit in")
	}
	k.keep(l)
}

// The lists stay within their bound: the one that was used least recently goes first.
func TestListsAreBounded(t *testing.T) {
	var k keyLists
	k.setMost(0)
	defer k.close()
	const third = listsBytes / 3
	ks1, a := listed(10, third)
	ks2, c := listed(10, third)
	_, d := listed(10, third)
	k.add(t, a)
	k.add(t, c)
	k.add(t, d)
	if k.find(a.owner, ks1, a.version, nil) != a {
		t.Fatal("the first is not there")
	}
	_, e := listed(10, third)
	k.add(t, e)
	if k.find(c.owner, ks2, 0, nil) != nil || k.find(a.owner, ks1, 0, nil) != a || k.bytes != 3*third {
		t.Errorf("not the least recently used one has gone; %d bytes", k.bytes)
	}
	// A newer list takes the place of its user's last one.
	_, a2 := listed(10, third)
	a2.owner = a.owner
	if k.add(t, a2); k.bytes != 3*third || len(k.lists) != 3 {
		t.Errorf("%d bytes of %d lists", k.bytes, len(k.lists))
	}
	// One that is being made is not dropped, so there is no room for another.
	_, large := listed(10, listsBytes)
	_, small := listed(10, 1)
	if !k.reserve(large) || k.reserve(small) || k.bytes != listsBytes {
		t.Errorf("%d bytes", k.bytes)
	}
	k.release(large)
	if k.add(t, small); k.bytes != 1 {
		t.Errorf("%d bytes", k.bytes)
	}
	_, a = listed(10, third)
	k.add(t, a)
	if k.setMost(third); k.bytes != third || len(k.lists) != 1 {
		t.Errorf("after the bound was lowered: %d bytes of %d lists", k.bytes, len(k.lists))
	}
}

// A list of a window is found for what is in it, and for nothing else.
func TestListsHaveAWindow(t *testing.T) {
	var k keyLists
	k.setMost(0)
	defer k.close()
	ks, l := listed(10, 100)
	l.window = window{after: b("c"), to: b("m")}
	k.add(t, l)
	for after, want := range map[string]bool{"": false, "b": false, "c": true, "d": true, "lz": true, "m": false, "n": false} {
		var key []byte
		if after != "" {
			key = b(after)
		}
		if got := k.find(l.owner, ks, 0, key) == l; got != want {
			t.Errorf("behind %q: %v", after, got)
		}
	}
	runtime.KeepAlive(ks)
}

func TestListsThatAreOfNoUse(t *testing.T) {
	var k keyLists
	k.setMost(0)
	defer k.close()
	ks, l := listed(10, 100)
	k.add(t, l)
	other := cache.New().Create(1)
	if k.find(&user{}, ks, 0, nil) != nil || k.find(l.owner, other, 0, nil) != nil || k.find(l.owner, ks, l.version+1, nil) != nil {
		t.Error("found for somebody else, of another cache, or too old")
	}
	for i := range 6 {
		if k.find(l.owner, ks, l.version, nil) != l {
			t.Fatalf("gone with %d keys", i)
		}
		ks.Delete(fmt.Append(nil, i))
	}
	if k.find(l.owner, ks, 0, nil) != nil {
		t.Error("found, with more than half of its keys gone")
	}
	runtime.KeepAlive(other)
}

// A list goes a minute after its last use, and within seconds when its keys have gone; the timer ends with the last one.
func TestListsAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k keyLists
		k.setMost(0)
		ks1, used := listed(10, 100)
		_, unused := listed(10, 100)
		ks3, flushed := listed(10, 100)
		k.add(t, used)
		k.add(t, unused)
		k.add(t, flushed)
		there := func(l *keyList) bool {
			synctest.Wait()
			k.mu.Lock()
			defer k.mu.Unlock()
			return k.lists[slotOf(l)] != nil
		}
		ks3.Flush()
		if time.Sleep(listSweep + time.Millisecond); there(flushed) {
			t.Error("a list outlives its keys")
		}
		time.Sleep(listKept / 2)
		if k.find(used.owner, ks1, 0, nil) != used {
			t.Error("it has gone in half a minute")
		}
		if time.Sleep(listKept/2 + listSweep); there(unused) || !there(used) {
			t.Errorf("the one that is not used is there %v, the other %v", there(unused), there(used))
		}
		if time.Sleep(listKept); there(used) || k.bytes != 0 || k.timer != nil {
			t.Errorf("%d bytes are left", k.bytes)
		}
		k.add(t, used)
		k.close()
		k.bytes += unused.size
		if k.keep(unused); k.bytes != 0 || there(unused) || k.reserve(used) {
			t.Errorf("closed, with %d bytes", k.bytes)
		}
		runtime.KeepAlive(ks1)
	})
}

// The list does not keep the cache alive that it is of.
func TestListKeepsNoCache(t *testing.T) {
	ks, l := listed(10, 100)
	if outlived(l) {
		t.Error("of no use, with all its keys there")
	}
	runtime.KeepAlive(ks)
	for range 10 {
		if runtime.GC(); outlived(l) {
			return
		}
	}
	t.Error("the cache is still there")
}
