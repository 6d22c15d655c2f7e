package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/admin/api"
	"ciderd/internal/membership"
	"ciderd/internal/report"
)

// fakeNode remembers what it was asked for.
type fakeNode struct {
	asked string
	began chan struct{} // closed when a change called hang has reached it
	slow  time.Duration // that a change takes
	list  []membership.Status
	err   error
}

func (f *fakeNode) Members(context.Context) ([]membership.Status, error) { return f.list, f.err }

func (f *fakeNode) Change(ctx context.Context, op, name string, _ bool) (string, error) {
	if op == "hang" {
		close(f.began)
		<-ctx.Done()
		return "", ctx.Err()
	}
	time.Sleep(f.slow)
	f.asked = op + " " + name
	return "did " + f.asked, f.err
}

func (f *fakeNode) AddUser(_ context.Context, name string, password []byte) error {
	f.asked = name + " " + string(password)
	return f.err
}

func (f *fakeNode) SetPassword(_ context.Context, name string, password []byte) error {
	f.asked = "passwd " + name + " " + string(password)
	return f.err
}

func (f *fakeNode) LockUser(name string, locked bool) (string, error) {
	f.asked = fmt.Sprint("lock ", name, " ", locked)
	return "did " + f.asked, f.err
}

func (f *fakeNode) RemoveUser(name string) (string, error) {
	f.asked = "remove user " + name
	return "did " + f.asked, f.err
}

func (f *fakeNode) User(name string) (api.User, error) { return api.User{Name: name}, f.err }

func (f *fakeNode) Users(after uint64, most int) api.UserPage {
	f.asked = fmt.Sprint("users ", after, " ", most)
	return api.UserPage{Users: []api.User{{Name: "bob"}}, Next: after + 1}
}

func (f *fakeNode) Limits() api.Limits { return api.Limits{Set: true, MaxMemory: 5} }

func (f *fakeNode) SetQuota(name string, bytes int64) (string, error) {
	f.asked = fmt.Sprint("quota ", name, " ", bytes)
	return "did " + f.asked, f.err
}

func (f *fakeNode) SetReserve(name string, bytes int64) (string, error) {
	f.asked = fmt.Sprint("reserve ", name, " ", bytes)
	return "did " + f.asked, f.err
}

func open(path string, f *fakeNode) (*Server, error) {
	return Open(path, Config{Name: "n1", Report: func() report.Report { return report.Report{Users: 3} }, Full: func(context.Context) report.Full { return report.Full{Report: report.Report{Users: 3}} }, Members: f, Users: f, Limits: f, Backups: f, Log: hclog.NewNullLogger(), Mode: api.ModeOwn})
}

func change(c *api.Client, op, name string) (said string, err error) {
	done, err := api.Change.Do(c, api.ChangeRequest{Op: op, Name: name})
	return done.Said, err
}

func serve(t *testing.T, f *fakeNode) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "admin.sock")
	s, err := open(path, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket after Close: %v", err)
		}
	})
	return path
}

func TestCalls(t *testing.T) {
	f := &fakeNode{list: []membership.Status{{Name: "n1", ServerID: "n1/ab", Vote: membership.VoteYes, Leader: true, Alive: true, LastIndex: 7}}}
	c := api.NewClient(serve(t, f), "n1")
	a, err := api.Members.Do(c, struct{}{})
	if err != nil || a.Warning != "" || len(a.Members) != 1 || a.Members[0] != f.list[0] {
		t.Errorf("members: %+v, %v", a, err)
	}
	if said, err := change(c, "remove", "n2"); said != "did remove n2" || err != nil {
		t.Errorf("change: %q, %v", said, err)
	}
	if r, err := api.Status.Do(c, struct{}{}); r.Users != 3 || err != nil {
		t.Errorf("status: %+v, %v", r, err)
	}
	password := []byte("p\x00\xff\"ä")
	if _, err := api.AddUser.Do(c, api.UserRequest{Name: "bob", Password: password}); err != nil || f.asked != "bob "+string(password) {
		t.Errorf("add user: asked %q, %v", f.asked, err)
	}
}

func TestErrors(t *testing.T) {
	f := &fakeNode{}
	path := serve(t, f)
	c := api.NewClient(path, "")
	f.err = fmt.Errorf("%w: it would hurt", membership.ErrRefused)
	if _, err := change(c, "remove", "n2"); !errors.Is(err, api.ErrRefused) || err.Error() != "refused: it would hurt" {
		t.Errorf("a refusal: %v", err)
	}
	f.err = fmt.Errorf("%w: it would hurt", api.ErrRefused)
	if _, err := api.AddUser.Do(c, api.UserRequest{Name: "bob", Password: nil}); !errors.Is(err, api.ErrRefused) {
		t.Errorf("a refusal: %v", err)
	}
	f.err = membership.ErrNoLeader
	if _, err := change(c, "remove", "n2"); err == nil || errors.Is(err, api.ErrRefused) || err.Error() != "no leader" {
		t.Errorf("no leader: %v", err)
	}
	if _, err := api.Members.Do(c, struct{}{}); err == nil {
		t.Error("no list and no error")
	}
	f.list = make([]membership.Status, 3)
	if a, err := api.Members.Do(c, struct{}{}); err != nil || len(a.Members) != 3 || !strings.Contains(a.Warning, "no leader") {
		t.Errorf("a node's own list: %+v, %v", a, err)
	}
	if _, err := change(api.NewClient(path, "n2"), "remove", "n1"); err == nil || !strings.Contains(err.Error(), "socket of n1, not of n2") {
		t.Errorf("another node's socket: %v", err)
	}
	if _, err := change(api.NewClient(filepath.Join(t.TempDir(), "admin.sock"), ""), "remove", "n1"); err == nil || !strings.Contains(err.Error(), "no node is running") {
		t.Errorf("no socket: %v", err)
	}
}

// Requests that are none are answered as such, and reach no node.
func TestRequests(t *testing.T) {
	f := &fakeNode{}
	path := serve(t, f)
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return api.Dial(ctx, path) }}}
	for _, x := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/members", "", 200},
		{"POST", "/change", `{"Op":"remove","Name":"n2"}`, 200},
		{"POST", "/change", `{"Op":"remove","Name":"n2"} {}`, 400},
		{"POST", "/change", `{"Op":"remove","Nmae":"n2"}`, 400},
		{"POST", "/change", ``, 400},
		{"POST", "/change", `{"Op":"remove","Name":"` + strings.Repeat("x", api.MaxBody) + `"}`, 400},
		{"POST", "/users", `{"Name":"bob","Password":"no base64!"}`, 400},
		{"GET", "/change", ``, 405},
		{"GET", "/secrets", ``, 404},
	} {
		f.asked = ""
		r, err := http.NewRequest(x.method, "http://ciderd"+x.path, strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s %s: %v", x.method, x.path, err)
		}
		text, _ := io.ReadAll(got.Body)
		got.Body.Close()
		if got.StatusCode != x.want {
			t.Errorf("%s %s %.40s: %s, want %d", x.method, x.path, x.body, got.Status, x.want)
		}
		if x.want != 200 && f.asked != "" {
			t.Errorf("%s %s %.40s reached the node", x.method, x.path, x.body)
		}
		if strings.Contains(string(text), "base64!") {
			t.Errorf("the answer quotes what was sent: %s", text)
		}
	}
}

func TestSocketFile(t *testing.T) {
	path := serve(t, &fakeNode{})
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := open(path, &fakeNode{}); err == nil || !strings.Contains(err.Error(), "another process serves") {
		t.Errorf("a second server: %v", err)
	}
	if _, err := change(api.NewClient(path, ""), "list", ""); err != nil {
		t.Errorf("the first one after that: %v", err)
	}
}

func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	s, err := open(path, &fakeNode{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := change(api.NewClient(path, ""), "remove", "n2"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	// What is there and is no socket is not ours to remove.
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := open(path, &fakeNode{}); err == nil {
		s.Close()
		t.Error("a file was replaced")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "x" {
		t.Errorf("the file: %q, %v", text, err)
	}
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 150))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "admin.sock")
	s, err := open(path, &fakeNode{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := change(api.NewClient(path, "n1"), "remove", "n2"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
}

// Close does not wait for a call that hangs.
func TestCloseEndsCalls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	f := &fakeNode{began: make(chan struct{})}
	s, err := open(path, f)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	conn := api.NewClient(path, "")
	go func() {
		_, err := change(conn, "hang", "")
		ended <- err
	}()
	<-f.began
	// Another call is answered meanwhile.
	if _, err := change(api.NewClient(path, ""), "remove", "n2"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the call that hung succeeded")
	}
}

// A client that wants to know is told that its call goes on, and gets the answer then; errors keep their class.
func TestProgress(t *testing.T) {
	f := &fakeNode{slow: progressEvery + progressEvery/2}
	path := serve(t, f)
	for _, failure := range []error{nil, fmt.Errorf("%w: it would hurt", membership.ErrRefused), membership.ErrNoLeader} {
		f.err = failure
		c := api.NewClient(path, "n1")
		var told []string
		c.Progress = func(text string) { told = append(told, text) }
		said, err := change(c, "remove", "n2")
		if len(told) != 1 || told[0] != "waiting for 1s" {
			t.Errorf("it is told %q", told)
		}
		if failure == nil && (said != "did remove n2" || err != nil) {
			t.Errorf("change: %q, %v", said, err)
		}
		if failure != nil && (fmt.Sprint(err) != failure.Error() || errors.Is(err, api.ErrRefused) != errors.Is(failure, membership.ErrRefused)) {
			t.Errorf("error %v, want %v", err, failure)
		}
	}
}
