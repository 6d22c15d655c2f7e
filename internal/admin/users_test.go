package admin

import (
	"errors"
	"fmt"
	"testing"

	"ciderd/internal/admin/api"
)

func TestUserCalls(t *testing.T) {
	f := &fakeNode{}
	c := api.NewClient(serve(t, f), "n1")
	asked := func(err error, said, want string) {
		t.Helper()
		if err != nil || f.asked != want || said != "" && said != "did "+want {
			t.Errorf("asked %q, said %q, %v; want %q", f.asked, said, err, want)
		}
	}
	done, err := api.LockUser.Do(c, api.LockRequest{Name: "bob", Locked: true})
	asked(err, done.Said, "lock bob true")
	done, err = api.RemoveUser.Do(c, api.NameRequest{Name: "bob"})
	asked(err, done.Said, "remove user bob")
	_, err = api.SetPassword.Do(c, api.UserRequest{Name: "bob", Password: []byte("x\x00")})
	asked(err, "", "passwd bob x\x00")
	page, err := api.ListUsers.Do(c, api.PageRequest{After: 7})
	asked(err, "", fmt.Sprint("users 7 ", api.MostUsers))
	if len(page.Users) != 1 || page.Next != 8 {
		t.Errorf("%+v", page)
	}
	if u, err := api.ShowUser.Do(c, api.NameRequest{Name: "bob"}); err != nil || u.Name != "bob" {
		t.Errorf("%+v, %v", u, err)
	}
	f.asked = ""
	if _, err := api.ListUsers.Do(c, api.PageRequest{Most: api.MostUsers + 1}); err == nil || f.asked != "" {
		t.Errorf("too many at once: %v, asked %q", err, f.asked)
	}
	f.err = fmt.Errorf("%w: %w; the user was not locked", api.ErrRefused, api.ErrNoLeader)
	if _, err := api.LockUser.Do(c, api.LockRequest{Name: "bob"}); !errors.Is(err, api.ErrNoLeader) {
		t.Errorf("without a leader: %v", err)
	}
}
