package daemon_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ciderd/internal/admin/api"
	"ciderd/internal/config"
	"ciderd/internal/daemon"
)

// node is a daemon in this process, on ports that are free.
type node struct {
	*daemon.Daemon
	t    *testing.T
	logs daemon.Logs
	path string // of its configuration
	dir  string // of its data
}

func open(t *testing.T, dir, more string) *node {
	t.Helper()
	n := &node{t: t, path: filepath.Join(dir, "ciderd.hcl"), dir: filepath.Join(dir, "data")}
	c := n.config(more)
	logs := daemon.NewLogs(c)
	d, err := daemon.Open(c, "test", logs)
	if err != nil {
		t.Fatal(err)
	}
	n.Daemon, n.logs = d, logs
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := d.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return n
}

// config writes the file and reads it.
func (n *node) config(more string) *config.Config {
	n.t.Helper()
	text := fmt.Sprintf("data_dir = %q\nlog { level = \"error\" }\nlisten {\n text = \"127.0.0.1:0\"\n admin = \"127.0.0.1:0\"\n}\n%s", n.dir, more)
	if err := os.WriteFile(n.path, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	c, err := config.Load(config.Options{Path: n.path})
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// talk says lines on a connection of their own and wants the replies.
func (n *node) talk(lines ...string) {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		n.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	in := bufio.NewScanner(conn)
	in.Scan() // the banner
	for i := 0; i < len(lines); i += 2 {
		fmt.Fprintln(conn, lines[i])
		if !in.Scan() || !strings.HasPrefix(in.Text(), lines[i+1]) {
			n.t.Errorf("%s is answered %q, want %s", lines[i], in.Text(), lines[i+1])
		}
	}
}

// A daemon in this process: it opens on free ports, talks, reads its file again, is asked by its operator and over
// HTTP, closes, and has everything when it is opened again. It leaves no goroutine behind.
func TestOpenTalkReloadClose(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	n := open(t, dir, "")
	n.talk("SIGNUP alice pa55word", "User created", "SET k v", "OK", "GET k", "v", "STATUS", "node ")

	socket := api.NewClient(n.socket(), "")
	n.config("auth { signup = \"closed\" }\n")
	if a, err := api.Reload.Do(socket, struct{}{}); err != nil || len(a.Changed) != 1 || len(a.NeedsRestart) != 0 || a.Changed[0] != (api.Setting{Key: "auth.signup", Old: "open", New: "closed"}) {
		t.Errorf("reload: %+v, %v", a, err)
	}
	n.talk("SIGNUP bob pa55word", "ERR SIGNUP_CLOSED")
	if done, err := api.AddUser.Do(socket, api.UserRequest{Name: "carol", Password: []byte("pa55word")}); err != nil || done.Said != "added user carol" {
		t.Errorf("user add: %+v, %v", done, err)
	}
	n.talk("LOGIN carol pa55word", "Login successful")
	r, err := api.Status.Do(socket, struct{}{})
	if err != nil || r.Users != 2 || r.State.Items != 1 || r.State.Bytes <= 0 || !r.Ready || !r.Writes || r.Accounts.Made != 2 || r.Clients.Accepted < 3 {
		t.Errorf("status: %+v, %v", r, err)
	}
	n.overHTTP()
	n.stop()

	n = open(t, dir, "")
	n.talk("LOGIN alice pa55word", "Login successful", "GET k", "v")
	n.stop()
	http.DefaultClient.CloseIdleConnections()
	for end := time.Now().Add(2 * time.Minute); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// socket returns where the node's admin socket is.
func (n *node) socket() string {
	path, _ := api.Place(n.dir)
	return path
}

func (n *node) stop() {
	n.t.Helper()
	if err := n.Close(); err != nil {
		n.t.Error(err)
	}
	n.logs.Close()
}

func (n *node) overHTTP() {
	n.t.Helper()
	response, err := http.Get("http://" + n.WebAddr().String() + "/status")
	if err != nil {
		n.t.Fatal(err)
	}
	defer response.Body.Close()
	var r struct {
		Ready bool
		Users int
	}
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil || !r.Ready || r.Users != 2 {
		n.t.Errorf("/status: %+v, %v", r, err)
	}
}

// A port that is taken is an error of Open, which then leaves nothing behind.
func TestOpenOnATakenPort(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, "")
	c := first.config("")
	c.Text, c.DataDir = first.Addr().String(), filepath.Join(dir, "other")
	if d, err := daemon.Open(c, "test", daemon.NewLogs(c)); err == nil || !strings.Contains(err.Error(), "the port for clients") {
		t.Errorf("a second one opens: %v, %v", d, err)
	}
	if _, err := os.Stat(c.DataDir); !os.IsNotExist(err) {
		t.Errorf("it has touched its data: %v", err)
	}
	first.stop()
}
