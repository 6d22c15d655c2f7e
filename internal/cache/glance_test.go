package cache

import (
	"fmt"
	"testing"
)

// A glance sees what is visible now, and not what has expired or gone.
func TestGlanceHasWhatIsVisible(t *testing.T) {
	k := New().Create(1)
	k.Set([]byte("kept"), []byte("1"), 0)
	k.Set([]byte("timed"), []byte("2"), 100)
	k.Set([]byte("gone"), nil, 0)
	k.Delete([]byte("gone"))
	for _, c := range []struct {
		key  string
		now  int64
		want bool
	}{{"kept", 100, true}, {"timed", 99, true}, {"timed", 100, false}, {"gone", 0, false}, {"never", 0, false}} {
		if got := GlanceAt(k).Has([]byte(c.key), c.now); got != c.want {
			t.Errorf("%s at %d: %v", c.key, c.now, got)
		}
	}
}

// A key that is there throughout is seen by a glance of any time, however the tables change meanwhile.
func TestGlanceSeesWhatStays(t *testing.T) {
	k := New().Create(1)
	k.Set([]byte("kept"), nil, 0)
	g := GlanceAt(k)
	for i := range 5000 {
		k.Set(fmt.Append(nil, i), nil, 0)
		if i%1000 == 0 {
			k.Freeze()
		}
	}
	if !g.Has([]byte("kept"), 0) || !GlanceAt(k).Has([]byte("kept"), 0) {
		t.Error("it is not seen")
	}
}

// Looking at an item is no use of it: a scan makes nothing hot.
func TestGlanceIsNoUse(t *testing.T) {
	k := New().Create(1)
	k.Set([]byte("k"), nil, 0)
	heat := func() uint64 { return k.dir.Load().tables[0].Load().groups[0].heats.word.Load() }
	before := heat()
	for range 100 {
		GlanceAt(k).Has([]byte("k"), 0)
		GlanceAt(k).Random(0)
	}
	if heat() != before {
		t.Error("the item has become hotter")
	}
}

// Random gives any of the visible keys, and only those.
func TestRandomKey(t *testing.T) {
	k := New().Create(1)
	if key, ok := GlanceAt(k).Random(0); ok {
		t.Errorf("%q of nothing", key)
	}
	for i := range 3000 {
		k.Set(fmt.Appendf(nil, "old%d", i), nil, 10)
	}
	if key, ok := GlanceAt(k).Random(10); ok {
		t.Errorf("%q, and all have expired", key)
	}
	k.Set([]byte("one"), nil, 0)
	for range 20 {
		if key, ok := GlanceAt(k).Random(10); !ok || string(key) != "one" {
			t.Fatalf("%q, %v: the only one is not found", key, ok)
		}
	}
	k.Flush()
	const n = 1000
	for i := range n {
		k.Set(fmt.Append(nil, i), nil, 0)
	}
	met := map[string]int{}
	for range 40 * n {
		key, ok := GlanceAt(k).Random(0)
		if _, there := k.Get(key, 0); !ok || !there {
			t.Fatalf("%q, %v", key, ok)
		}
		met[string(key)]++
	}
	for key, times := range met {
		if times > 160 { // of 40, on average
			t.Errorf("%s came %d times", key, times)
		}
	}
	if len(met) < n*99/100 {
		t.Errorf("%d of %d keys ever came", len(met), n)
	}
}
