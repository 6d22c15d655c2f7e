package optimistic

import "testing"

// An item has its version, and what the try has written itself has none yet.
func TestItemsHaveTheirVersion(t *testing.T) {
	w := start(t)
	w.set("a", "1")
	stored, _ := w.Keyspace().Get([]byte("a"), w.Now())
	err := w.Run(func(a *Attempt) error {
		before, _, err := a.Get([]byte("a"))
		_ = a.put("a", "2")
		after, _, _ := a.Get([]byte("a"))
		if before.Version != stored.Version || after.Version != 0 || err != nil {
			t.Errorf("version %d, then %d, want %d and 0", before.Version, after.Version, stored.Version)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
