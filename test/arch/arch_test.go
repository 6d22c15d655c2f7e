// Package arch_test holds the direction of the arrows between our packages, as internal/fsm and the
// others tell it in their comments, and which of them may use a library: it fails with the arrow that
// should not be there, and why. It owns the two tables of that (table_test.go), and holds that the program
// is the same in tests. It has no code of the program and does not look at what tests import.
package arch_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// testsOnly reports whether a package must not be part of the program.
func testsOnly(name string) bool { return strings.HasPrefix(name, "test/") }

// root is the module's directory, from this one.
const root = "../.."

type pkg struct {
	ImportPath string
	GoFiles    []string
	Imports    []string
	Module     struct{ Path string }
}

func list(t *testing.T) (all []pkg) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,GoFiles,Imports,Module", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// name is a package of ours as rooms has it; "" if it is not ours, or the root, which anybody may import.
func name(path, module string) string {
	rest, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		return ""
	}
	return strings.TrimPrefix(rest, "internal/")
}

// forbidden tells why from must not import to; "" if it may.
func forbidden(from, to string) string {
	r, known := rooms[from]
	switch {
	case testsOnly(to) && !testsOnly(from):
		return to + " is for tests, and must not be part of the program"
	case !known:
		return "no room of that name is in the table: say there what it may know, and why"
	case !slices.Contains(r.may, to):
		return r.why
	}
	return ""
}

func TestArrowsPointDown(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t) {
		from := name(p.ImportPath, p.Module.Path)
		if len(p.GoFiles) == 0 {
			continue // tests alone
		}
		seen[from] = true
		if _, known := rooms[from]; !known {
			t.Errorf("%s is a new package: say in the table what it may import of ours, and why no more", p.ImportPath)
			continue
		}
		for _, path := range p.Imports {
			to := name(path, p.Module.Path)
			if to == "" {
				continue
			}
			if why := forbidden(from, to); why != "" {
				t.Errorf("%s -> %s: %s", from, to, why)
			}
		}
	}
	for from := range rooms {
		if !seen[from] {
			t.Errorf("%s is in the table, and is no package any more", from)
		}
	}
}

// TestLibraries holds which rooms may import a library. A room that does not import it any more is to be taken
// out of the table.
func TestLibraries(t *testing.T) {
	unused := map[string]bool{}
	for _, l := range libraries {
		for _, room := range l.in {
			unused[l.path+" in "+room] = true
		}
	}
	for _, p := range list(t) {
		from := name(p.ImportPath, p.Module.Path)
		for _, path := range p.Imports {
			for _, l := range libraries {
				if !l.has(path) {
					continue
				}
				delete(unused, l.path+" in "+from)
				if !slices.Contains(l.in, from) {
					t.Errorf("%s -> %s: only %s may: %s", from, path, strings.Join(l.in, ", "), l.why)
				}
			}
		}
	}
	for what := range unused {
		t.Errorf("%s is in the table, and is not imported there", what)
	}
}

// has reports whether a package belongs to the library.
func (l library) has(path string) bool {
	return path == l.path || strings.HasPrefix(path, l.path+"/")
}

// The table itself must have no circle, and must find what it is there to find.
func TestTable(t *testing.T) {
	for from, r := range rooms {
		for _, to := range r.may {
			if reaches(to, from) {
				t.Errorf("%s may import %s, and that reaches %s", from, to, from)
			}
		}
	}
	for _, arrow := range [][2]string{
		{"cache", "fsm"}, {"fsm", "cluster"}, {"fsm", "config"}, {"fsm", "clock"}, {"cluster", "cache"}, {"cluster", "server"},
		{"server", "peer"}, {"server", "config"}, {"cmd/ciderd", "fsm"}, {"daemon", "test/harness"}, {"new", "cache"},
	} {
		if forbidden(arrow[0], arrow[1]) == "" {
			t.Errorf("%s -> %s is not found", arrow[0], arrow[1])
		}
	}
	if why := forbidden("server", "session"); why != "" {
		t.Errorf("server -> session: %s", why)
	}
}

func reaches(from, to string) bool {
	return from == to || slices.ContainsFunc(rooms[from].may, func(next string) bool { return reaches(next, to) })
}
