package powerfs

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// FS is a mounted file system. Its methods may be called from any goroutine, PowerLoss and Unmount
// while no process has anything of it open.
type FS struct {
	dir, store string
	server     *fuse.Server

	mu   sync.Mutex // all below
	tree tree
	next uint64 // id of an inode
	dead bool   // the power is off
	ops  int    // changes and syncs that were asked for
	left int    // of them until the power goes off; negative: it stays on
	slow time.Duration
}

// Missing says in words what this machine lacks for a mount; empty: nothing.
func Missing() string {
	if os.Geteuid() != 0 {
		return "root"
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return "FUSE: " + err.Error()
	}
	_ = f.Close()
	return ""
}

// Mount covers the directory dir by a file system that begins with what is in dir, all of it synced.
// The files move to store, which must not be there yet, and must be in the file system that dir is in.
func Mount(dir, store string) (*FS, error) {
	f := &FS{dir: dir, store: store, left: -1}
	if err := os.Mkdir(store, 0o700); err != nil {
		return nil, err
	}
	if err := f.takeIn(); err != nil {
		return nil, err
	}
	if err := f.mount(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *FS) mount() (err error) {
	no := time.Duration(0)
	f.server, err = fs.Mount(f.dir, &node{of: f.tree.root, fs: f}, &fs.Options{
		MountOptions: fuse.MountOptions{
			FsName: f.store, Name: "powerfs", DirectMountStrict: true, DisableXAttrs: true, MaxWrite: 1 << 20,
			AllowOther: true, Logger: log.New(io.Discard, "", 0), // it tells of each unmount
		},
		EntryTimeout: &no, AttrTimeout: &no, NegativeTimeout: &no, NullPermissions: true,
		RootStableAttr: &fs.StableAttr{Ino: f.tree.root.id},
	})
	if err != nil {
		return fmt.Errorf("mounting %s: %w", f.dir, err)
	}
	return nil
}

// unmountLimit is how long a process that was killed may take to let go of its files.
const unmountLimit = 30 * time.Second

func (f *FS) unmount() error {
	for deadline := time.Now().Add(unmountLimit); ; time.Sleep(20 * time.Millisecond) {
		err := f.server.Unmount()
		if err == nil || !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

// Cut turns the power off: from now on nothing reaches the disk, and whoever tries gets EIO, until
// PowerLoss.
func (f *FS) Cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

// CutAfter turns the power off after so many more changes and syncs.
func (f *FS) CutAfter(ops int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = ops
}

// SyncTakes makes each sync take so long, as a disk's does: without that hardly anything is on its way
// at a given moment. What is written meanwhile is synced too.
func (f *FS) SyncTakes(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow = d
}

// Off tells whether the power is off.
func (f *FS) Off() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// Ops is how many changes and syncs have been asked for since Mount.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// begin is called with the lock held, before each change or sync.
func (f *FS) begin() syscall.Errno {
	f.ops++
	if f.left == 0 {
		f.dead = true
	}
	if f.dead {
		return syscall.EIO
	}
	f.left-- // it may go down for years from -1
	return 0
}

// PowerLoss forgets, tears or keeps all that was not synced, as the seed says, and mounts what is
// left, with the power on again. The processes that used the file system must have been killed.
func (f *FS) PowerLoss(seed uint64) (Loss, error) {
	f.Cut()
	if err := f.unmount(); err != nil {
		return Loss{}, err
	}
	f.mu.Lock()
	loss, err := f.lose(rand.New(rand.NewPCG(seed, 0)))
	f.dead, f.left = false, -1
	f.mu.Unlock()
	if err != nil {
		return loss, err
	}
	return loss, f.mount()
}

func (f *FS) lose(random *rand.Rand) (Loss, error) {
	all := f.tree.reachable()
	loss := f.tree.lose(random)
	errs := []error{f.sweep(all)}
	for _, n := range inOrder(f.tree.reachable()) {
		if n.opens = 0; len(n.ledger.changes) == 0 {
			continue // nor is anything drawn for it: a seed is to say the same whatever other files there are
		}
		size, l, err := n.ledger.lose(random, n.data)
		n.size = size
		n.ledger.synced(size)
		loss = loss.Plus(l)
		errs = append(errs, err)
	}
	return loss, errors.Join(errs...)
}

func inOrder(inodes map[*inode]bool) []*inode {
	var all []*inode
	for n := range inodes {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b *inode) int { return int(a.id) - int(b.id) })
	return all
}

// Unmount gives the directory back with what is in it now, all of it synced.
func (f *FS) Unmount() error {
	if err := f.unmount(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.giveBack()
}
