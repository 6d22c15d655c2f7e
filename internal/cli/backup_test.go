package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ciderd/internal/admin/api"
	"ciderd/internal/backup/archive"
)

// A file is there as a whole or as it was, and nothing is left beside it.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	whole := func(text string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
	}
	fine := func(*os.File) error { return nil }
	reads := func(want string) func(*os.File) error {
		return func(f *os.File) error {
			got, err := io.ReadAll(f)
			if string(got) != want {
				return errors.New("it is another one")
			}
			return err
		}
	}
	holds := func(want string) {
		t.Helper()
		got, err := os.ReadFile(name)
		if string(got) != want || want == "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it holds %q, %v; want %q", got, err, want)
		}
		most := 1
		if want == "" {
			most = 0
		}
		if all, _ := os.ReadDir(dir); len(all) != most {
			t.Errorf("the directory has %v", all)
		}
	}
	broken := errors.New("no space left")
	half := func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return broken }
	if err := replaceFile(name, half, fine); !errors.Is(err, broken) {
		t.Error(err)
	}
	holds("")
	if err := replaceFile(name, whole("first"), reads("first")); err != nil {
		t.Error(err)
	}
	holds("first")
	if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for _, again := range []error{replaceFile(name, half, fine), replaceFile(name, whole("second"), reads("another"))} {
		if again == nil {
			t.Error("it is said to be written")
		}
		holds("first")
	}
	if err := replaceFile(name, whole("second"), reads("second")); err != nil {
		t.Error(err)
	}
	holds("second")
	if err := replaceFile(dir, whole("x"), fine); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("over a directory: %v", err)
	}
	if err := replaceFile("/dev/null", whole("x"), fine); err == nil {
		t.Error("over a device")
	}
	if err := replaceFile(filepath.Join(dir, "no", "where"), whole("x"), fine); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no directory: %v", err)
	}
}

// What a killed process has left is removed by the next one for the same file, and nothing else.
func TestReplaceFileRemovesLeftovers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".f.123.partial", ".f.9.partial", ".f.more.123.partial", ".g.123.partial", ".f.x1.partial", ".f..partial", "f.123.partial"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".f.5.partial"), 0o700); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "f")
	fine := func(*os.File) error { return nil }
	var inner error
	err := replaceFile(name, func(w io.Writer) error {
		if _, err := io.WriteString(w, "outer"); err != nil {
			return err
		}
		// One that is being written is no leftover.
		inner = replaceFile(name, func(w io.Writer) error { _, err := io.WriteString(w, "inner"); return err }, fine)
		return nil
	}, fine)
	if err != nil || inner != nil {
		t.Errorf("%v, %v", err, inner)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "outer" {
		t.Errorf("%q, %v", got, err)
	}
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range all {
		left = append(left, e.Name())
	}
	if got, want := strings.Join(left, " "), ".f..partial .f.5.partial .f.more.123.partial .f.x1.partial .g.123.partial f f.123.partial"; got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
}

// aBackup is a file with two users.
func aBackup(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, archive.Head{Release: "1.2.3", Cluster: "prod", Node: "n1", Time: 1_700_000_000_000})
	err = errors.Join(err, w.User(&archive.User{Name: []byte("alice"), Hash: []byte("h"), Quota: 1 << 20}),
		w.Item(&archive.Item{Key: []byte("k"), Value: []byte("value")}), w.Reply(&archive.Reply{ID: []byte("id")}),
		w.User(&archive.User{Name: []byte("bob"), Hash: []byte("h"), Locked: true}))
	_, closing := w.Close()
	name := filepath.Join(t.TempDir(), "b")
	if err = errors.Join(err, closing, os.WriteFile(name, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return name
}

func run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e strings.Builder
	p := &Program{Verbs: Backups("1.2.3"), In: os.Stdin, Out: &o, Err: &e}
	code = p.Main(args)
	return code, o.String(), e.String()
}

func TestInspect(t *testing.T) {
	name := aBackup(t)
	code, out, errs := run(t, "inspect", name)
	for _, want := range []string{
		"whole       yes", "cluster     prod", "written by  n1, ciderd 1.2.3, format 1", "of          2023-11-14 22:13:20 UTC",
		"holds       2 users, 1 key, 6 B", "alice  1     6 B    1.0 MiB  -        1", "locked",
	} {
		if code != 0 || errs != "" || !strings.Contains(out, want) {
			t.Errorf("code %d, %s, %s; want %q", code, out, errs, want)
		}
	}
	code, out, _ = run(t, "inspect", "-json", name)
	var found inspected
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != 0 || !found.Whole || len(found.Users) != 2 || found.Users[0].OnceIDs != 1 || found.Keys != 1 {
		t.Errorf("code %d, %+v, %v", code, found, err)
	}
	file, _ := os.ReadFile(name)
	file[len(file)-1] ^= 1
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = run(t, "inspect", name); code != 1 || !strings.Contains(out, "whole       NO") || !strings.Contains(errs, "damaged backup") {
		t.Errorf("a damaged file: code %d, %s, %s", code, out, errs)
	}
	if code, out, _ = run(t, "inspect", "-json", name); code != 1 || !strings.Contains(out, `"Whole": false`) {
		t.Errorf("a damaged file: code %d, %s", code, out)
	}
	for _, other := range []string{os.Args[0], "/nowhere"} {
		if code, out, errs = run(t, "inspect", other); code != 1 || out != "" || errs == "" {
			t.Errorf("%s: code %d, %s, %s", other, code, out, errs)
		}
	}
}

// The cluster is named by whoever restores into it.
func TestConfirm(t *testing.T) {
	for typed, want := range map[string]string{"prod\n": "", " prod ": "", "test\n": "another name", "\n": "say -yes", "": "say -yes"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.WriteString(typed)
		w.Close()
		err = (&Call{In: r, Err: io.Discard}).confirm("prod")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", typed, err, want)
		}
		r.Close()
	}
}

func TestWritePlan(t *testing.T) {
	var b strings.Builder
	p := api.Restored{
		Cluster: "test", Replaces: 1, Expired: 3, Misfits: []string{"alice takes more"},
		Contents: api.Contents{Cluster: "prod", Node: "n1", Release: "1.2.3", Users: 2, Items: 5, Bytes: 10},
	}
	if err := writePlan(&b, &p); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"from    prod, node n1", "to      test\n", "holds   2 users with 5 keys, 10 B; left out: 3 expired keys\n", "LOST    all that 1 user of these now have", "part    alice takes more\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s\nwithout %q", b.String(), want)
		}
	}
}

func TestBackupUsage(t *testing.T) {
	for args, code := range map[string]int{
		"backup": 64, "backup a b": 64, "restore": 64, "restore -user f": 64, "inspect": 64,
		"backup f -socket /nowhere": 1, "backup - -socket /nowhere": 1, "restore -yes /nowhere -socket /nowhere": 1,
	} {
		if got, out, errs := run(t, strings.Fields(args)...); got != code || out != "" || errs == "" {
			t.Errorf("%s: code %d, %s, %s", args, got, out, errs)
		}
	}
	if _, err := os.Stat("f"); err == nil {
		t.Error("a backup that failed has left a file")
	}
}
