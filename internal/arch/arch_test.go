// Package arch_test holds the direction of the arrows between our packages, as internal/fsm and the
// others tell it in their comments: it fails with the arrow that should not be there, and why. It
// owns the table of what may import what, and has no code of the program. It does not look at what
// tests import.
package arch_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// room is what a package may import of ours, and why no more.
type room struct {
	may []string
	why string
}

// Every package with code that is not a test's. All names are below ciderd/internal, but for cmd/ciderd.
var rooms = map[string]room{
	"":         {nil, "the module's root: the number of the release, for who prints it"},
	"cache":    {nil, "a leaf: it holds items, and knows of no user, log or cluster"},
	"auth":     {nil, "a leaf: it checks passwords, and knows of no session, log or cluster"},
	"protocol": {nil, "a leaf: it turns bytes into requests, and does not know what becomes of them"},
	"config":   {nil, "a leaf: it reads the file; who needs a value is given it by daemon"},
	"clock":    {nil, "a leaf: it is told the time, and asks nobody for it"},
	"peer":     {nil, "it carries bytes between nodes, and never looks into them"},
	"storage":  {nil, "it keeps what Raft gives it, and never looks into it"},
	"fsm": {[]string{"cache", "auth"},
		"it applies the log: it must not know who leads, what this node's file says or what time it is here"},
	"pipeline": {[]string{"fsm"},
		"it keeps writes until they are done: it must not know who leads, nor how a batch gets there"},
	"cluster": {[]string{"pipeline", "fsm", "peer", "storage", "clock"},
		"it gets writes into the log: it must not know what a cache, a session or a password is"},
	"server": {[]string{"protocol", "auth", "cache", "fsm", "cluster", "clock"},
		"it serves sessions: it must not know where the leader lives or how nodes talk"},
	"admin": {[]string{"cluster"},
		"it lets the operator ask a node: it must not know what wires that node, nor any session"},
	"recovery": {[]string{"fsm", "peer", "storage"},
		"it works on the directory of a node that is stopped: it must not know one that runs"},
	"daemon": {[]string{"admin", "server", "cluster", "recovery", "fsm", "peer", "storage", "clock", "cache", "auth", "protocol", "config"},
		"it wires what lies below it"},
	"cmd/ciderd": {[]string{"daemon", "config", "admin", "cluster", "recovery"},
		"it reads flags and signals and prints: what is wired, daemon wires, so that tests can too (cluster and recovery are there for the words of what it prints)"},
	"harness":         {[]string{"config"}, "it runs nodes for tests from outside, as people do: it must not look into them"},
	"torture":         {[]string{"harness", "torture/powerfs"}, "it breaks nodes for tests from outside: it must not look into them"},
	"torture/powerfs": {nil, "it is a file system: it does not know whose"},
	"torture/cmd":     {[]string{"torture"}, "it runs torture"},
	"test":            {nil, "it tests from outside"},
}

// testsOnly are packages that the program must not contain.
var testsOnly = []string{"harness", "torture", "torture/cmd", "torture/powerfs", "test", "arch"}

// Others' packages that one room alone may import, by the beginning of their path.
var onlyIn = map[string]string{"github.com/hanwen/go-fuse/": "torture/powerfs"}

type pkg struct {
	ImportPath string
	GoFiles    []string
	Imports    []string
	Module     struct{ Path string }
}

func list(t *testing.T) (all []pkg) {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	cmd := exec.Command("go", "list", "-json=ImportPath,GoFiles,Imports,Module", "./...")
	cmd.Dir = filepath.Join(filepath.Dir(file), "..", "..")
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
	case slices.Contains(testsOnly, to) && !slices.Contains(testsOnly, from):
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
			for module, only := range onlyIn {
				if strings.HasPrefix(path, module) && from != only {
					t.Errorf("%s -> %s: only %s may", from, path, only)
				}
			}
			if to == "" {
				continue
			}
			if why := forbidden(from, to); why != "" {
				t.Errorf("%s -> %s: %s", from, to, why)
			}
		}
	}
	for from := range rooms {
		if !seen[from] && from != "test" {
			t.Errorf("%s is in the table, and is no package any more", from)
		}
	}
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
		{"server", "peer"}, {"server", "config"}, {"cmd/ciderd", "fsm"}, {"daemon", "harness"}, {"new", "cache"},
	} {
		if forbidden(arrow[0], arrow[1]) == "" {
			t.Errorf("%s -> %s is not found", arrow[0], arrow[1])
		}
	}
	if why := forbidden("server", "cluster"); why != "" {
		t.Errorf("server -> cluster: %s", why)
	}
}

func reaches(from, to string) bool {
	return from == to || slices.ContainsFunc(rooms[from].may, func(next string) bool { return reaches(next, to) })
}
