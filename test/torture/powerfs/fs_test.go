package powerfs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mounted gives a file system that began with the given files.
func mounted(t *testing.T, files map[string]string) (f *FS, dir string) {
	t.Helper()
	if missing := Missing(); missing != "" {
		t.Skipf("this machine lacks %s", missing)
	}
	base := t.TempDir()
	dir = filepath.Join(base, "dir")
	must(t, os.Mkdir(dir, 0o700))
	for name, text := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	f, err := Mount(dir, filepath.Join(base, "store"))
	must(t, err)
	t.Cleanup(func() {
		if f.server != nil {
			_ = f.unmount()
		}
	})
	return f, dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return "none"
	}
	must(t, err)
	return string(text)
}

func lose(t *testing.T, f *FS, seed uint64) Loss {
	t.Helper()
	loss, err := f.PowerLoss(seed)
	must(t, err)
	return loss
}

// write writes into an open or new file, and syncs if it is told to.
func write(t *testing.T, path string, off int64, text string, sync bool) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	must(t, err)
	_, err = f.WriteAt([]byte(text), off)
	must(t, err)
	if sync {
		must(t, f.Sync())
	}
	must(t, f.Close())
}

func syncDir(t *testing.T, dir string) {
	t.Helper()
	d, err := os.Open(dir)
	must(t, err)
	must(t, errors.Join(d.Sync(), d.Close()))
}

// TestSyncedSurvives: whatever the seed, what was synced is there, and what was there before the mount.
func TestSyncedSurvives(t *testing.T) {
	f, dir := mounted(t, map[string]string{"before": "1", "sub/deep": "2"})
	want := map[string]string{"before": "1", "sub/deep": "2"}
	for seed := range uint64(20) {
		name := "sub/" + strings.Repeat("x", int(seed)+1)
		want[name] = strings.Repeat(name, 500)
		write(t, filepath.Join(dir, name), 0, want[name], true)
		write(t, filepath.Join(dir, "unsynced"), int64(seed)*100, strings.Repeat("u", 5000), false)
		lose(t, f, seed)
		for name, text := range want {
			if got := read(t, dir, name); got != text {
				t.Fatalf("seed %d: %s is %d bytes %.20q", seed, name, len(got), got)
			}
		}
	}
}

// TestUnsyncedOverwrite: over some seeds what was not synced is all there, gone and torn; in the sectors
// that no write touched it never is.
func TestUnsyncedOverwrite(t *testing.T) {
	f, dir := mounted(t, nil)
	path, was, is := filepath.Join(dir, "f"), strings.Repeat("a", 16*sectorSize), strings.Repeat("b", 8*sectorSize)
	var sum Loss
	for seed := range uint64(60) {
		write(t, path, 0, was, true)
		write(t, path, 4*sectorSize, is, false)
		loss := lose(t, f, seed)
		got := read(t, dir, "f")
		if len(got) != len(was) || strings.Contains(got[:4*sectorSize]+got[12*sectorSize:], "b") {
			t.Fatalf("seed %d: %d bytes, other sectors changed", seed, len(got))
		}
		for s := range 16 {
			if one := got[s*sectorSize : (s+1)*sectorSize]; strings.Count(one, one[:1]) != sectorSize {
				t.Fatalf("seed %d: sector %d is half written", seed, s)
			}
		}
		inside := got[4*sectorSize : 12*sectorSize]
		if kept := strings.Count(inside, "b"); kept == len(is) != (loss.Lost+loss.Torn == 0) || kept == 0 != (loss.Kept+loss.Torn == 0) {
			t.Fatalf("seed %d: %d of %d bytes are there, and it says %+v", seed, kept, len(is), loss)
		}
		sum = sum.Plus(loss)
	}
	if sum.Kept == 0 || sum.Lost == 0 || sum.Torn == 0 {
		t.Errorf("not everything happened: %+v", sum)
	}
}

// TestRenameNeedsTheDirectory: the way to replace a file loses nothing, and without the last sync it
// may leave the old one.
func TestRenameNeedsTheDirectory(t *testing.T) {
	f, dir := mounted(t, nil)
	seen := map[string]bool{}
	for seed := range uint64(30) {
		write(t, filepath.Join(dir, "f"), 0, "old", true)
		syncDir(t, dir)
		write(t, filepath.Join(dir, "f.tmp"), 0, "new", true)
		must(t, os.Rename(filepath.Join(dir, "f.tmp"), filepath.Join(dir, "f")))
		synced := seed%2 == 0
		if synced {
			syncDir(t, dir)
		}
		lose(t, f, seed)
		got := read(t, dir, "f")
		if got != "new" && (synced || got != "old") {
			t.Fatalf("seed %d, directory synced: %t: %q", seed, synced, got)
		}
		if !synced {
			seen[got] = true
		}
		must(t, os.RemoveAll(filepath.Join(dir, "f.tmp")))
		must(t, os.Remove(filepath.Join(dir, "f")))
		syncDir(t, dir)
	}
	if !seen["old"] || !seen["new"] {
		t.Errorf("without the directory's sync: seen %v", seen)
	}
}

// TestCutAfter: the power goes off between two writes; nothing that came later is there.
func TestCutAfter(t *testing.T) {
	f, dir := mounted(t, map[string]string{"f": strings.Repeat("-", 10*sectorSize)})
	for n := range 10 {
		file, err := os.OpenFile(filepath.Join(dir, "f"), os.O_RDWR, 0)
		must(t, err)
		f.CutAfter(n)
		for i := range 10 {
			_, err := file.WriteAt(bytes.Repeat([]byte{'0' + byte(n)}, sectorSize), int64(i)*sectorSize)
			if off := i >= n; off != errors.Is(err, syscall.EIO) {
				t.Fatalf("cut after %d: write %d: %v", n, i, err)
			}
		}
		must(t, file.Close())
		loss := lose(t, f, uint64(n))
		if got := strings.Count(read(t, dir, "f"), string(rune('0'+n))); got != loss.Kept*sectorSize || loss.Kept+loss.Lost != n {
			t.Errorf("cut after %d: %d bytes are there, and it says %+v", n, got, loss)
		}
	}
}

// TestGivenBack: after Unmount the directory holds what was in the file system, synced or not.
func TestGivenBack(t *testing.T) {
	f, dir := mounted(t, map[string]string{"a": "1", "b": "2", "sub/c": "3"})
	must(t, os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "sub", "a")))
	must(t, os.Remove(filepath.Join(dir, "b")))
	must(t, os.Mkdir(filepath.Join(dir, "new"), 0o750))
	write(t, filepath.Join(dir, "new", "d"), 3, "4", false)
	must(t, os.Truncate(filepath.Join(dir, "sub", "c"), 0))
	must(t, f.Unmount())
	f.server = nil
	for name, want := range map[string]string{"a": "none", "sub/a": "1", "b": "none", "sub/c": "", "new/d": "\x00\x00\x004"} {
		if got := read(t, dir, name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "new")); err != nil || info.Mode() != os.ModeDir|0o750 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := os.Stat(f.store); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the store is still there: %v", err)
	}
}

// inodeOf is what has a name now.
func inodeOf(f *FS, name string) *inode {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tree.root.now[name]
}

// released waits until the kernel has said that nobody has n open: it does so after the last close has
// returned. What follows from that is done by then, and is not waited for.
func released(t *testing.T, f *FS, n *inode) {
	t.Helper()
	opens := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return n.opens
	}
	for late := time.Now().Add(2 * time.Minute); opens() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("open %d times, and it was closed two minutes ago", opens())
		}
	}
}

// TestSpaceComesBack: what cannot come back after a power loss takes no space in the store, and what is
// open can be read without a name.
func TestSpaceComesBack(t *testing.T) {
	f, dir := mounted(t, map[string]string{"f": "text"})
	stored := func() int {
		entries, err := os.ReadDir(f.store)
		must(t, err)
		return len(entries)
	}
	file, err := os.Open(filepath.Join(dir, "f"))
	must(t, err)
	first := inodeOf(f, "f")
	must(t, os.Remove(filepath.Join(dir, "f")))
	if syncDir(t, dir); stored() != 1 {
		t.Errorf("%d files stored of one that is open", stored())
	}
	text := make([]byte, 4)
	if _, err := file.ReadAt(text, 0); err != nil || string(text) != "text" {
		t.Errorf("read %q: %v", text, err)
	}
	must(t, file.Close())
	released(t, f, first)
	write(t, filepath.Join(dir, "g"), 0, "text", true)
	released(t, f, inodeOf(f, "g"))
	must(t, os.Remove(filepath.Join(dir, "g")))
	if got := stored(); got != 1 {
		t.Errorf("%d files stored of one whose removal was not synced", got)
	}
	if syncDir(t, dir); stored() != 0 {
		t.Errorf("%d files stored of none", stored())
	}
}
