package powerfs

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"
)

// inode is a file, a directory or a socket.
type inode struct {
	id       uint64
	mode     uint32 // with the type's bits
	uid, gid uint32
	changed  time.Time

	now, kept map[string]*inode // of a directory: names as they are, and those that a disk holds for certain
	born      *renaming         // its creation, until a disk holds that for certain

	data   *os.File // of a regular file, in the store
	size   int64
	ledger ledger
	opens  int
}

func (n *inode) isDir() bool     { return n.mode&syscall.S_IFMT == syscall.S_IFDIR }
func (n *inode) isRegular() bool { return n.mode&syscall.S_IFMT == syscall.S_IFREG }

// tree is all names, and the changes to them that no fsync has covered.
type tree struct {
	root    *inode
	pending []*renaming // in order
}

// renaming is one change of names that is on a disk whole or not at all: a creation, a rename, a
// removal.
type renaming struct{ names []naming }

// naming gives a name in a directory to an inode, or to none.
type naming struct {
	dir  *inode
	name string
	to   *inode
}

// change makes a change of names, which is not kept yet.
func (t *tree) change(names ...naming) *renaming {
	op := &renaming{names}
	for _, n := range names {
		n.put(n.dir.now)
	}
	t.pending = append(t.pending, op)
	return op
}

func (n naming) put(names map[string]*inode) {
	if n.to == nil {
		delete(names, n.name)
	} else {
		names[n.name] = n.to
	}
}

func (op *renaming) keep() {
	for _, n := range op.names {
		n.put(n.dir.kept)
		if n.to != nil && n.to.born == op {
			n.to.born = nil
		}
	}
}

// synced is told of an fsync of n: it keeps all that was done in a directory, the creation of n and of
// the directories above it, and what came before these in the same directories.
func (t *tree) synced(n *inode) {
	dirs, births := map[*inode]bool{n: n.isDir()}, map[*renaming]bool{n.born: true}
	var kept, left []*renaming
	for _, op := range slices.Backward(t.pending) {
		if !births[op] && !slices.ContainsFunc(op.names, func(n naming) bool { return dirs[n.dir] }) {
			left = append(left, op)
			continue
		}
		kept = append(kept, op)
		for _, n := range op.names {
			dirs[n.dir], births[n.dir.born] = true, true
		}
	}
	for _, op := range slices.Backward(kept) {
		op.keep()
	}
	slices.Reverse(left)
	t.pending = left
}

// lose decides what a power loss leaves of the names: of each directory's changes, a beginning.
func (t *tree) lose(random *rand.Rand) (loss Loss) {
	most := map[*inode]int{} // changes in a directory
	for _, op := range t.pending {
		for _, dir := range op.dirs() {
			most[dir]++
		}
	}
	for _, op := range t.pending { // not over the map: its order is not the seed's
		for _, dir := range op.dirs() {
			if n, undrawn := most[dir]; undrawn && n > 0 {
				most[dir] = -random.IntN(n + 1) // so many are kept, as a negative number
			}
		}
	}
	for _, op := range t.pending {
		dirs := op.dirs()
		if slices.ContainsFunc(dirs, func(dir *inode) bool { return most[dir] == 0 }) {
			for _, dir := range dirs {
				most[dir] = 0 // nor what comes later
			}
			loss.NamesLost++
			continue
		}
		for _, dir := range dirs {
			most[dir]++
		}
		op.keep()
		loss.NamesKept++
	}
	t.pending = nil
	for n := range t.reachable() {
		n.now, n.born = maps.Clone(n.kept), nil
	}
	return loss
}

func (op *renaming) dirs() []*inode {
	dirs := []*inode{op.names[0].dir}
	if last := op.names[len(op.names)-1].dir; last != dirs[0] {
		dirs = append(dirs, last)
	}
	return dirs
}

// reachable is every inode that has a name, or may have one after a power loss.
func (t *tree) reachable() map[*inode]bool {
	seen := map[*inode]bool{}
	var visit func(n *inode)
	visit = func(n *inode) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		for _, names := range []map[string]*inode{n.now, n.kept} {
			for _, child := range names {
				visit(child)
			}
		}
	}
	visit(t.root)
	for _, op := range t.pending {
		for _, n := range op.names {
			visit(n.to)
		}
	}
	return seen
}
