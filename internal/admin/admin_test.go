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

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/cluster"
)

// fakeNode remembers what it was asked for.
type fakeNode struct {
	asked string
	began chan struct{} // closed when a change called hang has reached it
	list  []cluster.MemberStatus
	err   error
}

func (f *fakeNode) Members(context.Context) ([]cluster.MemberStatus, error) { return f.list, f.err }

func (f *fakeNode) Change(ctx context.Context, op, name string, _ bool) (string, error) {
	if op == "hang" {
		close(f.began)
		<-ctx.Done()
		return "", ctx.Err()
	}
	f.asked = op + " " + name
	return "did " + f.asked, f.err
}

func (f *fakeNode) AddUser(_ context.Context, name string, password []byte) error {
	f.asked = name + " " + string(password)
	return f.err
}

func serve(t *testing.T, f *fakeNode) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), socketFile)
	s, err := Open(path, "n1", f, hclog.NewNullLogger())
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
	f := &fakeNode{list: []cluster.MemberStatus{{Name: "n1", ServerID: "n1/ab", Vote: cluster.VoteYes, Leader: true, Alive: true, LastIndex: 7}}}
	c := NewClient(serve(t, f), "n1")
	list, warning, err := c.Members()
	if err != nil || warning != "" || len(list) != 1 || list[0] != f.list[0] {
		t.Errorf("members: %v, %q, %v", list, warning, err)
	}
	if said, err := c.Change("remove", "n2", false); said != "did remove n2" || err != nil {
		t.Errorf("change: %q, %v", said, err)
	}
	password := []byte("p\x00\xff\"ä")
	if _, err := c.AddUser("bob", password); err != nil || f.asked != "bob "+string(password) {
		t.Errorf("add user: asked %q, %v", f.asked, err)
	}
}

func TestErrors(t *testing.T) {
	f := &fakeNode{}
	path := serve(t, f)
	c := NewClient(path, "")
	f.err = fmt.Errorf("%w: it would hurt", cluster.ErrRefused)
	if _, err := c.Change("remove", "n2", false); !errors.Is(err, cluster.ErrRefused) || err.Error() != "refused: it would hurt" {
		t.Errorf("a refusal: %v", err)
	}
	if _, err := c.AddUser("bob", nil); !errors.Is(err, cluster.ErrRefused) {
		t.Errorf("a refusal: %v", err)
	}
	f.err = cluster.ErrNoLeader
	if _, err := c.Change("remove", "n2", false); err == nil || errors.Is(err, cluster.ErrRefused) || err.Error() != "no leader" {
		t.Errorf("no leader: %v", err)
	}
	if _, _, err := c.Members(); err == nil {
		t.Error("no list and no error")
	}
	f.list = make([]cluster.MemberStatus, 3)
	if list, warning, err := c.Members(); err != nil || len(list) != 3 || !strings.Contains(warning, "no leader") {
		t.Errorf("a node's own list: %v, %q, %v", list, warning, err)
	}
	if _, err := NewClient(path, "n2").Change("remove", "n1", false); err == nil || !strings.Contains(err.Error(), "socket of n1, not of n2") {
		t.Errorf("another node's socket: %v", err)
	}
	if _, err := NewClient(filepath.Join(t.TempDir(), socketFile), "").Change("remove", "n1", false); err == nil || !strings.Contains(err.Error(), "no node is running") {
		t.Errorf("no socket: %v", err)
	}
}

// Requests that are none are answered as such, and reach no node.
func TestRequests(t *testing.T) {
	f := &fakeNode{}
	c := NewClient(serve(t, f), "")
	for _, x := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/members", "", 200},
		{"POST", "/change", `{"Op":"remove","Name":"n2"}`, 200},
		{"POST", "/change", `{"Op":"remove","Name":"n2"} {}`, 400},
		{"POST", "/change", `{"Op":"remove","Nmae":"n2"}`, 400},
		{"POST", "/change", ``, 400},
		{"POST", "/change", `{"Op":"remove","Name":"` + strings.Repeat("x", maxBody) + `"}`, 400},
		{"POST", "/users", `{"Name":"bob","Password":"no base64!"}`, 400},
		{"GET", "/change", ``, 405},
		{"GET", "/secrets", ``, 404},
	} {
		f.asked = ""
		r, err := http.NewRequest(x.method, "http://ciderd"+x.path, strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.http.Do(r)
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
	if _, err := Open(path, "n1", &fakeNode{}, hclog.NewNullLogger()); err == nil || !strings.Contains(err.Error(), "another process serves") {
		t.Errorf("a second server: %v", err)
	}
	if _, err := NewClient(path, "").Change("list", "", false); err != nil {
		t.Errorf("the first one after that: %v", err)
	}
}

func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), socketFile)
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	s, err := Open(path, "n1", &fakeNode{}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(path, "").Change("remove", "n2", false); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	// What is there and is no socket is not ours to remove.
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(path, "n1", &fakeNode{}, hclog.NewNullLogger()); err == nil {
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
	path := filepath.Join(dir, socketFile)
	s, err := Open(path, "n1", &fakeNode{}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(path, "n1").Change("remove", "n2", false); err != nil {
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
	path := filepath.Join(t.TempDir(), socketFile)
	f := &fakeNode{began: make(chan struct{})}
	s, err := Open(path, "n1", f, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	conn := NewClient(path, "")
	go func() {
		_, err := conn.Change("hang", "", false)
		ended <- err
	}()
	<-f.began
	// Another call is answered meanwhile.
	if _, err := NewClient(path, "").Change("remove", "n2", false); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the call that hung succeeded")
	}
}

func TestWhereTheSocketIs(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", "")
	if got := SocketPath(dir); got != filepath.Join(dir, socketFile) {
		t.Errorf("without systemd: %s", got)
	}
	t.Setenv("RUNTIME_DIRECTORY", "/run/a:/run/b")
	if got := SocketPath(dir); got != "/run/a/"+socketFile {
		t.Errorf("under systemd: %s", got)
	}
}
