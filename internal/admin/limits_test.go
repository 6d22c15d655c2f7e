package admin

import (
	"errors"
	"fmt"
	"testing"

	"ciderd/internal/admin/api"
)

func TestLimits(t *testing.T) {
	f := &fakeNode{}
	c := api.NewClient(serve(t, f), "n1")
	if l, err := api.ShowLimits.Do(c, struct{}{}); err != nil || l.MaxMemory != 5 || !l.Set {
		t.Errorf("%+v, %v", l, err)
	}
	for what, k := range map[string]api.Call[api.ShareRequest, api.Done]{"quota": api.SetQuota, "reserve": api.SetReserve} {
		f.err = nil
		for _, bytes := range []int64{0, 64 << 20} {
			done, err := k.Do(c, api.ShareRequest{Name: "alice", Bytes: bytes})
			if want := fmt.Sprint(what, " alice ", bytes); err != nil || f.asked != want || done.Said != "did "+want {
				t.Errorf("%q, %v; asked for %q", done.Said, err, f.asked)
			}
		}
		f.err = fmt.Errorf("%w: there is no user", api.ErrRefused)
		if _, err := k.Do(c, api.ShareRequest{Name: "nobody"}); !errors.Is(err, api.ErrRefused) || err.Error() != f.err.Error() {
			t.Errorf("%v", err)
		}
		f.asked = ""
		if _, err := k.Do(c, api.ShareRequest{Name: "alice", Bytes: -1}); err == nil || f.asked != "" {
			t.Errorf("%v; asked for %q", err, f.asked)
		}
	}
}
