package powerfs

import (
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// names is a tree that tests change by path.
type names struct {
	t    *testing.T
	tree tree
	id   uint64
}

func newNames(t *testing.T) *names {
	n := &names{t: t}
	n.tree.root = n.inode(true)
	return n
}

func (n *names) inode(dir bool) *inode {
	n.id++
	i := &inode{id: n.id, mode: syscall.S_IFREG}
	if dir {
		i.mode, i.now, i.kept = syscall.S_IFDIR, map[string]*inode{}, map[string]*inode{}
	}
	return i
}

// at gives the directory of a path, its last name, and what is there.
func (n *names) at(path string) (*inode, string, *inode) {
	parts := strings.Split(path, "/")
	dir := n.tree.root
	for _, part := range parts[:len(parts)-1] {
		if dir = dir.now[part]; dir == nil {
			n.t.Fatalf("no %s", path)
		}
	}
	last := parts[len(parts)-1]
	return dir, last, dir.now[last]
}

// do runs commands: "+f" makes a file, "+d/" a directory, "-x" removes, "x>y" renames, "!x" syncs.
func (n *names) do(commands string) {
	for c := range strings.FieldsSeq(commands) {
		from, to, rename := strings.Cut(c, ">")
		switch {
		case c == "!":
			n.tree.synced(n.tree.root)
		case rename:
			d1, name1, i := n.at(from)
			d2, name2, _ := n.at(to)
			n.tree.change(naming{d1, name1, nil}, naming{d2, name2, i})
		case c[0] == '+':
			path, dir := strings.CutSuffix(c[1:], "/")
			d, name, _ := n.at(path)
			i := n.inode(dir)
			i.born = n.tree.change(naming{d, name, i})
		case c[0] == '-':
			d, name, _ := n.at(c[1:])
			n.tree.change(naming{d, name, nil})
		case c[0] == '!':
			_, _, i := n.at(c[1:])
			n.tree.synced(i)
		}
	}
}

func (n *names) list() string {
	var all []string
	var walk func(prefix string, dir *inode)
	walk = func(prefix string, dir *inode) {
		for name, i := range dir.now {
			if i.isDir() {
				walk(prefix+name+"/", i)
			}
			if !i.isDir() || len(i.now) == 0 {
				all = append(all, prefix+name)
			}
		}
	}
	walk("", n.tree.root)
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestNames: what a power loss may leave, and all of it, is what is listed.
func TestNames(t *testing.T) {
	for commands, may := range map[string][]string{
		"+a":                              {"", "a"},
		"+a !":                            {"a"},
		"+a !a":                           {"a"},
		"+a +b !a":                        {"a", "a b"},
		"+a +b !b":                        {"a b"}, // in order
		"+a ! a>b":                        {"a", "b"},
		"+a ! a>b !b":                     {"a", "b"}, // the file's sync is not its name's
		"+a ! a>b !":                      {"b"},
		"+a ! -a":                         {"", "a"},
		"+a ! -a !":                       {""},
		"+d/ +d/a":                        {"", "d", "d/a"},
		"+d/ +d/a !d/a":                   {"d/a"}, // the directories above come with it
		"+d/ +d/a !d":                     {"d/a"},
		"+d/ +d/a !":                      {"d", "d/a"}, // but what is in a directory is not the parent's
		"+d/ +d/a !d/a d>e +f":            {"d/a", "e/a", "e/a f"},
		"+a +b ! a>b":                     {"a b", "b"},       // b is there at any time
		"+d/ +e/ +d/a !d/a ! d/a>e/a":     {"d/a e", "d e/a"}, // by no halves
		"+d/ +e/ +d/a !d/a ! d/a>e/a !e":  {"d e/a"},
		"+d/ +d/a +d/b !d ! -d/a -d/b -d": {"d/a d/b", "d/b", "d", ""},
	} {
		seen := map[string]bool{}
		for seed := range uint64(400) {
			n := newNames(t)
			n.do(commands)
			n.tree.lose(rand.New(rand.NewPCG(seed, 0)))
			got := n.list()
			if !slices.Contains(may, got) {
				t.Errorf("%s: %q may not be left", commands, got)
			}
			if seen[got] = true; len(n.tree.pending) > 0 {
				t.Errorf("%s: something is still to come", commands)
			}
		}
		for _, want := range may {
			if !seen[want] {
				t.Errorf("%s: never left %q", commands, want)
			}
		}
	}
}
