package cache

import "testing"

// A view's Get sees what was there at the freeze, and not what is past its deadline.
func TestViewGet(t *testing.T) {
	k := New().Create(1)
	k.Set([]byte("kept"), []byte("1"), 0)
	k.Set([]byte("timed"), []byte("2"), 100)
	v := k.Freeze()
	k.Set([]byte("kept"), []byte("3"), 0)
	k.Set([]byte("new"), []byte("4"), 0)
	k.Delete([]byte("timed"))
	for _, c := range []struct {
		key  string
		now  int64
		want string
	}{{"kept", 50, "1"}, {"timed", 99, "2"}, {"timed", 100, ""}, {"new", 50, ""}} {
		it, ok := v.Get([]byte(c.key), c.now)
		if string(it.Value) != c.want || ok != (c.want != "") {
			t.Errorf("%s at %d: %q, %v", c.key, c.now, it.Value, ok)
		}
	}
}
