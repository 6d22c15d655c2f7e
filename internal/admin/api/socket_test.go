package api

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWhereTheSocketIs(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", "")
	if got, mode := Place(dir); got != filepath.Join(dir, socketFile) || mode != 0o600 {
		t.Errorf("without systemd: %s, %v", got, mode)
	}
	t.Setenv("RUNTIME_DIRECTORY", "/run/a:/run/b")
	if got, mode := Place(dir); got != "/run/a/"+socketFile || mode != 0o660 {
		t.Errorf("under systemd: %s, %v", got, mode)
	}
}

// A command takes the first socket that is there; where there is none, it says that of the last place.
func TestWhereTheSocketIsFound(t *testing.T) {
	run, unit, data := t.TempDir(), t.TempDir(), t.TempDir()
	for _, step := range []struct{ made, want string }{{"", data}, {data, data}, {unit, unit}, {run, run}} {
		if step.made != "" {
			l, err := Listen(filepath.Join(step.made, socketFile), ModeOwn)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
		}
		if got := find(run, unit, data); got != filepath.Join(step.want, socketFile) {
			t.Errorf("with one in %q: %s, want it in %s", step.made, got, step.want)
		}
	}
	if got := find("", data); got != filepath.Join(data, socketFile) {
		t.Errorf("without a runtime directory: %s", got)
	}
}

// The mode is what was asked for, whatever the umask.
func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	for _, mode := range []fs.FileMode{ModeOwn, ModeGroup} {
		path := filepath.Join(t.TempDir(), socketFile)
		l, err := Listen(path, mode)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeSocket|mode {
			t.Errorf("%v, %v; want mode %v", info, err, mode)
		}
	}
}
