package arch_test

import (
	"go/build/constraint"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// systems are what a file of the program may be for alone. Any other build tag would make two programs, one of
// which only tests ever see: what tests change, test/overlay changes.
var systems = []string{"linux", "darwin", "unix", "amd64", "arm64"}

func TestOneProgram(t *testing.T) {
	files := 0
	for _, dir := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files++
			for _, tag := range tags(string(text)) {
				if !slices.Contains(systems, tag) {
					t.Errorf("%s has the build tag %s: what tests change in the program, test/overlay changes", path, tag)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("only %d files were looked at", files)
	}
}

// tags are the words of a file's build constraint.
func tags(text string) (words []string) {
	before, _, _ := strings.Cut("\n"+text, "\npackage ")
	for line := range strings.Lines(before) {
		expr, err := constraint.Parse(strings.TrimSpace(line))
		if err == nil {
			expr.Eval(func(tag string) bool { // it asks about all of them, also when one decides
				words = append(words, tag)
				return true
			})
		}
	}
	return words
}

// The rule must find what it is there to find.
func TestTags(t *testing.T) {
	for text, want := range map[string]string{
		"//go:build testclock\n\npackage p\n":                   "testclock",
		"// A comment.\n\n//go:build linux && e2e\n\npackage p": "e2e",
		"//go:build !plant\n\npackage p\n":                      "plant",
		"//go:build linux || race\n\npackage p\n":               "race",
	} {
		if !slices.Contains(tags(text), want) {
			t.Errorf("%q: %q, want %s", text, tags(text), want)
		}
	}
	if got := tags("package p\n\n//go:build no\n"); len(got) > 0 {
		t.Errorf("behind the package clause: %q", got)
	}
}

// Continuous integration has the race detector, or fails; and the tests that it is of no use to are where make test looks for
// them.
func TestRaceDetector(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, ".ci/run"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "make test RACE=-race ") {
		t.Error(".ci/run does not insist on the race detector")
	}
	apart := 0
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "\n\t\"ciderd/test/norace\"\n") {
			return err
		}
		apart++
		if !strings.HasPrefix(path, filepath.Join(root, "internal")) {
			t.Errorf("%s has tests that no run without the race detector finds: see apart in the Makefile", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if apart < 10 {
		t.Errorf("only %d files have tests that run without the race detector", apart)
	}
}
