package api

import (
	"path/filepath"
	"testing"
)

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
