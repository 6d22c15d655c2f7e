package membership

import (
	"testing"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/peerstate"
	"ciderd/internal/storage"
)

// No empty node bootstraps before all say that they remember the latest mark.
func TestMarksAreAgreedOn(t *testing.T) {
	st, err := storage.Open(t.TempDir(), hclog.NewNullLogger(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	r := &recoveries{&base{Config: Config{Storage: st, Fatal: func(err error) { t.Error(err) }}}}
	for _, x := range []struct {
		n2, n3 int64
		agreed bool
		own    int64
	}{{0, 0, true, 0}, {0, 5, false, 5}, {0, 0, false, 5}, {3, 5, false, 5}, {5, 5, true, 5}, {6, 6, true, 6}, {6, 5, false, 6}} {
		states := map[string]*peerstate.State{"n2": {Recovered: x.n2}, "n3": {Recovered: x.n3}}
		if agreed, err := r.agree(states); agreed != x.agreed || r.recovered() != x.own || err != nil {
			t.Errorf("with %d and %d: agreed %v on %d, %v; want %v on %d", x.n2, x.n3, agreed, r.recovered(), err, x.agreed, x.own)
		}
	}
}
