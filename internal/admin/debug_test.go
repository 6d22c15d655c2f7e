package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/admin/api"
)

// The archive comes as it is; one that was broken off is an error, and so is another node's.
func TestDebug(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	var fails error
	var log strings.Builder
	s, err := Open(path, Config{Name: "n1", Mode: api.ModeOwn, Log: hclog.New(&hclog.LoggerOptions{Output: &log}),
		Debug: func(ctx context.Context, to io.Writer) error {
			if end, bounded := ctx.Deadline(); !bounded || time.Until(end) < api.DebugTimeout/2 {
				t.Errorf("it has until %v", end)
			}
			_, err := io.WriteString(to, strings.Repeat("archive\n", 1000))
			return errors.Join(err, fails)
		}})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := api.NewClient(path, "n1").Debug(&got); err != nil || got.Len() != 8000 {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	fails = errors.New("the disk is gone")
	if err := api.NewClient(path, "").Debug(io.Discard); err == nil || !strings.Contains(err.Error(), "is not whole") {
		t.Errorf("one that was broken off: %v", err)
	}
	if err := api.NewClient(path, "n2").Debug(io.Discard); err == nil || !strings.Contains(err.Error(), "of n1, not of n2") {
		t.Errorf("another node's: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "verb=debug outcome=done") || !strings.Contains(text, `outcome="the disk is gone"`) {
		t.Errorf("the log says %s", text)
	}
	if err := api.NewClient(path, "n1").Debug(io.Discard); err == nil || !strings.Contains(err.Error(), "no node is running here") {
		t.Errorf("nobody: %v", err)
	}
}

// A node of an older release does not know the path.
func TestDebugOfAnOlderRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := api.Listen(path, api.ModeOwn)
	if err != nil {
		t.Fatal(err)
	}
	older := http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = older.Serve(l) }()
	defer older.Close()
	if err := api.NewClient(path, "").Debug(io.Discard); err == nil || !strings.Contains(err.Error(), "a release that cannot do this") {
		t.Errorf("%v", err)
	}
}
