package harness

import (
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
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
	return build("")
})

// tagged is Binary with build tags: always built, as CIDERD_BIN may be without them.
func tagged(t testing.TB, tags string) string {
	t.Helper()
	path, err := build(tags)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func build(tags string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	// Each checkout has its own: another's daemon may have other bugs.
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(root)) // never fails: see hash.Hash
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("ciderd-test-%08x", sum.Sum32()))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	// Test processes run at the same time: each builds under a name of its own
	// and renames, which leaves a binary that runs already as it is.
	name, args := "ciderd", []string{"build"}
	if os.Getenv("CIDERD_RACE") != "" {
		name, args = "ciderd-race", []string{"build", "-race"}
	}
	if tags != "" {
		name, args = name+"-"+tags, append(args, "-tags", tags)
	}
	out := filepath.Join(dir, name)
	fresh := fmt.Sprintf("%s.%d", out, os.Getpid())
	cmd := exec.Command("go", append(args, "-o", fresh, "./cmd/ciderd")...)
	cmd.Dir = root
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building ciderd: %w\n%s", err, msg)
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
