package harness

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ciderd/test/overlay"
)

// Binary gives the path of the daemon to test: CIDERD_BIN where that is set,
// else ./cmd/ciderd of this module, built once for each test process, with the
// race detector if CIDERD_RACE is set. It ends the test if the build fails.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("CIDERD_BIN"); path != "" {
		return filepath.Abs(path)
	}
	return build()
})

// changed is Binary with changes: always built, as CIDERD_BIN may be without them.
func changed(t testing.TB, changes []overlay.Change) string {
	t.Helper()
	path, err := build(changes...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Release gives the path of the daemon of a commit of this repository, built once for each checkout: for tests of
// upgrades. A clone without that commit skips the test, but not under CI.
func Release(t testing.TB, commit string) string {
	t.Helper()
	path, err := release(commit)
	switch {
	case errors.Is(err, errNoHistory) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return path
}

// Stamped gives the path of the daemon of this checkout with another commit in its version, as a release of another day
// has.
func Stamped(t testing.TB, commit string) string {
	t.Helper()
	root, dir, err := places()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "ciderd-stamped-"+commit)
	fresh := fmt.Sprintf("%s.%d", out, os.Getpid())
	cmd := exec.Command("go", "build", "-ldflags", "-X main.commit="+commit, "-o", fresh, "./cmd/ciderd")
	cmd.Dir = root
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building ciderd as of %s: %v\n%s", commit, err, msg)
	}
	if err := os.Rename(fresh, out); err != nil {
		t.Fatal(err)
	}
	return out
}

var errNoHistory = errors.New("this clone has no such commit")

func release(commit string) (string, error) {
	root, dir, err := places()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "ciderd-"+commit)
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	if exec.Command("git", "-C", root, "cat-file", "-e", commit+"^{commit}").Run() != nil {
		return "", fmt.Errorf("%s: %w", commit, errNoHistory)
	}
	source, err := os.MkdirTemp("", "ciderd-release-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(source)
	fresh := fmt.Sprintf("%s.%d", out, os.Getpid())
	script := `git -C "$1" archive "$2" | tar -x -C "$3" && cd "$3" && go build -o "$4" ./cmd/ciderd`
	cmd := exec.Command("bash", "-o", "pipefail", "-ec", script, "build", root, commit, source, fresh)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building ciderd of %s: %w\n%s", commit, err, msg)
	}
	return out, os.Rename(fresh, out)
}

// places are the module's directory, and one for binaries.
func places() (root, dir string, err error) {
	if root, err = moduleRoot(); err != nil {
		return "", "", err
	}
	// Each checkout has its own: another's daemon may have other bugs.
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(root)) // never fails: see hash.Hash
	dir = filepath.Join(os.TempDir(), fmt.Sprintf("ciderd-test-%08x", sum.Sum32()))
	return root, dir, os.MkdirAll(dir, 0o777)
}

func build(changes ...overlay.Change) (string, error) {
	root, dir, err := places()
	if err != nil {
		return "", err
	}
	// Test processes run at the same time: each builds under a name of its own
	// and renames, which leaves a binary that runs already as it is.
	name, args := "ciderd", []string{"./cmd/ciderd"}
	if os.Getenv("CIDERD_RACE") != "" {
		name, args = "ciderd-race", []string{"-race", "./cmd/ciderd"}
	}
	for _, c := range changes {
		name += "-" + c.Name
	}
	out := filepath.Join(dir, name)
	fresh := fmt.Sprintf("%s.%d", out, os.Getpid())
	if _, err := overlay.Go(context.Background(), root, changes, "build", append([]string{"-o", fresh}, args...)...); err != nil {
		return "", fmt.Errorf("building ciderd: %w", err)
	}
	return out, os.Rename(fresh, out)
}

// moduleRoot is the directory of the go.mod that the test runs in.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if mod == "" || mod == os.DevNull {
		return "", fmt.Errorf("not inside a module")
	}
	return filepath.Dir(mod), nil
}
