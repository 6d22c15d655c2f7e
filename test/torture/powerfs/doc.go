// Package powerfs is a FUSE file system for tests that knows what its files would be after a power
// cut, and makes them so: what no fsync has covered is forgotten, torn or kept, as a seed decides.
//
// It is mounted over a directory, takes the files that are in there into a store, and gives them back
// when it is unmounted. Reads and writes go through to the store; beside it the package remembers
// what a disk would hold for certain. What PowerLoss may do, and no more than that:
//
//   - A write or a change of size counts as on the disk from the next fsync or fdatasync of its file.
//     Until then each write is there whole, or not at all, or in some of its sectors of 512 bytes; of
//     what made the file longer, a beginning. Writes are not kept in order. Within a sector they are:
//     a page cache writes what a page holds, so a sector is as it was after one of its writes.
//   - A file that was cut may come back as long as it was, and then with nothing that was written
//     behind the cut since: Linux gives the blocks away with the journal entry that tells of the cut.
//   - A create, mkdir, rename or removal counts from the next fsync of its directory (of both, for a
//     rename across two, either will do). Until then each directory keeps a beginning of its changes,
//     in order; directories are independent of each other, but one rename is never kept by halves.
//   - The fsync of a new file or directory also keeps its own creation, those of the directories that
//     it is in, and what came before in those: POSIX does not say so, ext4, xfs and btrfs do it, and
//     programs rely on it. An fsync of a file never keeps a later rename, though ext4 and xfs do.
//   - Modes, owners and times are kept at once.
//   - When a file has more than 64 MiB of writes that nobody synced, they count as synced: a kernel
//     writes back too.
//
// The processes that use the file system must not be of the program that serves it: a page fault in
// a memory map would wait for a goroutine that waits for the page. There are no hard or symbolic
// links, no extended attributes, and no fallocate.
//
// ledger.go and tree.go are the rules, without FUSE; node.go is what the kernel calls; fs.go is the
// life of a mount, store.go where its files lie.
package powerfs
