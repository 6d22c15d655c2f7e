package powerfs

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is an inode as the kernel sees it during one mount.
type node struct {
	fs.Inode
	of *inode
	fs *FS
}

var (
	_ fs.NodeLookuper  = (*node)(nil)
	_ fs.NodeReaddirer = (*node)(nil)
	_ fs.NodeGetattrer = (*node)(nil)
	_ fs.NodeSetattrer = (*node)(nil)
	_ fs.NodeCreater   = (*node)(nil)
	_ fs.NodeMknoder   = (*node)(nil)
	_ fs.NodeMkdirer   = (*node)(nil)
	_ fs.NodeUnlinker  = (*node)(nil)
	_ fs.NodeRmdirer   = (*node)(nil)
	_ fs.NodeRenamer   = (*node)(nil)
	_ fs.NodeOpener    = (*node)(nil)
	_ fs.NodeReleaser  = (*node)(nil)
	_ fs.NodeReader    = (*node)(nil)
	_ fs.NodeWriter    = (*node)(nil)
	_ fs.NodeFsyncer   = (*node)(nil)
	_ fs.NodeStatfser  = (*node)(nil)
)

func (n *inode) attr(out *fuse.Attr) {
	out.Ino, out.Mode, out.Size, out.Nlink = n.id, n.mode, uint64(n.size), 1
	out.Uid, out.Gid = n.uid, n.gid
	out.Blocks, out.Blksize = (out.Size+511)/512, 4096
	out.SetTimes(&n.changed, &n.changed, &n.changed)
}

// view makes the kernel's node of an inode.
func (n *node) view(ctx context.Context, of *inode) *fs.Inode {
	return n.NewInode(ctx, &node{of: of, fs: n.fs}, fs.StableAttr{Mode: of.mode & syscall.S_IFMT, Ino: of.id})
}

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	child, ok := n.of.now[name]
	if !ok {
		return nil, syscall.ENOENT
	}
	child.attr(&out.Attr)
	return n.view(ctx, child), 0
}

func (n *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	var list []fuse.DirEntry
	for name, child := range n.of.now {
		list = append(list, fuse.DirEntry{Name: name, Mode: child.mode, Ino: child.id})
	}
	return fs.NewListDirStream(list), 0
}

func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	n.of.attr(&out.Attr)
	return 0
}

func (n *node) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if size, ok := in.GetSize(); ok {
		if errno := n.resize(int64(size)); errno != 0 {
			return errno
		}
	}
	if mode, ok := in.GetMode(); ok {
		n.of.mode = n.of.mode&syscall.S_IFMT | mode&0o7777
	}
	if uid, ok := in.GetUID(); ok {
		n.of.uid = uid
	}
	if gid, ok := in.GetGID(); ok {
		n.of.gid = gid
	}
	if at, ok := in.GetMTime(); ok {
		n.of.changed = at
	}
	n.of.attr(&out.Attr)
	return 0
}

func (n *node) resize(size int64) syscall.Errno {
	if errno := n.fs.begin(); errno != 0 {
		return errno
	}
	if size < n.of.size {
		if err := n.of.ledger.before(n.of.data, size, n.of.size); err != nil {
			return fs.ToErrno(err)
		}
	}
	if err := n.of.data.Truncate(size); err != nil {
		return errnoOf(err)
	}
	n.of.ledger.resized(n.of.size, size)
	n.of.size, n.of.changed = size, time.Now()
	return 0
}

// add makes a new inode and gives it a name here. The lock is held.
func (n *node) add(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, *inode, syscall.Errno) {
	if n.of.now[name] != nil {
		return nil, nil, syscall.EEXIST
	}
	if errno := n.fs.begin(); errno != 0 {
		return nil, nil, errno
	}
	var uid, gid uint32
	if caller, ok := fuse.FromContext(ctx); ok {
		uid, gid = caller.Uid, caller.Gid
	}
	child, err := n.fs.newInode(mode, uid, gid)
	if err != nil {
		return nil, nil, errnoOf(err)
	}
	child.born = n.fs.tree.change(naming{n.of, name, child})
	child.attr(&out.Attr)
	return n.view(ctx, child), child, 0
}

func (n *node) Create(ctx context.Context, name string, _ uint32, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	view, child, errno := n.add(ctx, name, mode&0o7777|syscall.S_IFREG, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	child.opens++
	return view, handle{}, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *node) Mknod(ctx context.Context, name string, mode, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if kind := mode & syscall.S_IFMT; kind != syscall.S_IFSOCK && kind != syscall.S_IFREG {
		return nil, syscall.EPERM
	}
	view, _, errno := n.add(ctx, name, mode, out)
	return view, errno
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	view, _, errno := n.add(ctx, name, mode&0o7777|syscall.S_IFDIR, out)
	return view, errno
}

func (n *node) Unlink(_ context.Context, name string) syscall.Errno { return n.drop(name) }
func (n *node) Rmdir(_ context.Context, name string) syscall.Errno  { return n.drop(name) }

func (n *node) drop(name string) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	switch child := n.of.now[name]; {
	case child == nil:
		return syscall.ENOENT
	case len(child.now) > 0:
		return syscall.ENOTEMPTY
	}
	if errno := n.fs.begin(); errno != 0 {
		return errno
	}
	n.fs.tree.change(naming{n.of, name, nil})
	return 0
}

func (n *node) Rename(_ context.Context, name string, newParent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	to := newParent.(*node).of
	moved, there := n.of.now[name], to.now[newName]
	switch {
	case flags != 0:
		return syscall.EINVAL
	case moved == nil:
		return syscall.ENOENT
	case there != nil && len(there.now) > 0:
		return syscall.ENOTEMPTY
	}
	if errno := n.fs.begin(); errno != 0 {
		return errno
	}
	n.fs.tree.change(naming{n.of, name, nil}, naming{to, newName, moved})
	return 0
}

func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if flags&syscall.O_TRUNC != 0 && n.of.size > 0 {
		if errno := n.resize(0); errno != 0 {
			return nil, 0, errno
		}
	}
	n.of.opens++
	return handle{}, fuse.FOPEN_KEEP_CACHE, 0
}

// handle stands for an open file: the kernel tells of its end only if there is one.
type handle struct{}

func (n *node) Release(context.Context, fs.FileHandle) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	n.of.opens--
	return fs.ToErrno(n.fs.sweep(map[*inode]bool{n.of: true}))
}

func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	got, err := n.of.data.ReadAt(dest, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errnoOf(err)
	}
	return fuse.ReadResultData(dest[:got]), 0
}

func (n *node) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if errno := n.fs.begin(); errno != 0 {
		return 0, errno
	}
	if err := n.of.ledger.before(n.of.data, off, off+int64(len(data))); err != nil {
		return 0, errnoOf(err)
	}
	wrote, err := n.of.data.WriteAt(data, off)
	if wrote == 0 && err != nil {
		return 0, errnoOf(err)
	}
	n.of.ledger.wrote(off, data[:wrote], n.of.size)
	n.of.size, n.of.changed = max(n.of.size, off+int64(wrote)), time.Now()
	return uint32(wrote), 0
}

// Fsync is of a file or a directory, and fdatasync too: that syncs the size as well.
func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	n.fs.mu.Lock()
	slow := n.fs.slow
	n.fs.mu.Unlock()
	time.Sleep(slow)
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if errno := n.fs.begin(); errno != 0 {
		return errno
	}
	if n.of.isRegular() {
		n.of.ledger.synced(n.of.size)
	}
	before := n.fs.tree.reachable()
	n.fs.tree.synced(n.of)
	return fs.ToErrno(n.fs.sweep(before))
}

func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	var s syscall.Statfs_t
	if err := syscall.Statfs(n.fs.store, &s); err != nil {
		return fs.ToErrno(err)
	}
	out.FromStatfsT(&s)
	return 0
}

// errnoOf is of an error of package os.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EIO
}
