// Package cache owns the items in memory: a [Store] of keyspaces, one for each
// user id, changed by one writer and read by any number of goroutines.
//
// It promises that reads see the last completed change, never half of a
// multi-key change, and nothing whose deadline has passed; that everything the
// replicas compare or agree on (versions, [Store.Hash], the order of
// [Store.Expire], Bytes, Memory, [Store.Occupied]) depends on the changes made and on nothing else; and
// that a frozen view never changes. It never reads a clock, starts a goroutine,
// knows what a user or a quota is, or touches a disk.
//
// # The types
//
// There are only a few:
//
//	Store      keyspaces by id, their deadlines, totals and hash
//	Keyspace   one user's items, for one writer and any number of readers
//	content    what a keyspace has now: an extendible hash
//	deadlines  which of a keyspace's items have one, in its order
//	directory  the top hash bits -> table; with the keyspace's counters
//	table      open addressing in groups of 8 slots, at most 944 slots
//	record     one item, immutable, without pointers
//	chunk      memory for the small records of one keyspace
//	View       a directory that is no longer changed
//
// "The writer" is the one goroutine (the state machine's) that calls the changing methods; their comments say so.
// All other methods may be called from any goroutine.
//
// # Readers never wait
//
// Get takes no lock. A reader follows atomic pointers: keyspace -> directory ->
// table -> record. These invariants make that safe:
//
//  1. A record never changes. A change of an item is one atomic store of a
//     record's pointer (or nil) into one slot: a single-key change is visible
//     from that store on, in every table that is still being changed.
//     A control byte is written before the slot is filled and after it is
//     emptied, so a reader that has found a record finds it again.
//  2. A table or directory that is replaced (grown, split, merged, copied) has
//     the same items as its successor at that moment, and is never changed
//     afterwards. A reader that still holds it answers as of that moment, which
//     lies within its call.
//  3. A group of slots that has once been full has no empty slot until the
//     table is replaced (deletes leave a tombstone there), so a probe may stop
//     at the first empty slot.
//
// So each Get is linearizable, and so are two of them in a row. For changes of
// several keys:
//
//  4. Between BeginCut and EndCut Keyspace.cuts is odd. Get is valid only if it
//     was even, and the same, before and after; otherwise Get tries again.
//  5. Each change, and each cut, makes Keyspace.writes odd meanwhile. MGet is
//     valid only if that was even, and the same, before and after all lookups.
//  6. Each change, and each cut, holds Keyspace.mu. Others hold it for O(1) only,
//     to freeze: Get and MGet too, when they have tried in vain for a while.
//
// So a reader waits only if it meets a cut, and only until the cut ends, and the writer never waits for a reader's
// lookups. The lock is not an RWMutex, and Get does not look under it, because an RWMutex that is unlocked admits
// all waiting readers at once, and the writer's next change would wait until each of them has got a processor.
//
// # Freezing
//
// Tables and directories carry the epoch of their birth. A freeze notes the current epoch and starts the next. The
// writer changes nothing in place that is not younger than the last freeze: it copies it first (a directory once, a
// table of up to 9 KiB once). So freezing a keyspace is O(1), and so is freezing a store: the store keeps its
// directories in a copy-on-write B-tree, and a keyspace is not visited until its next change. Views hold only
// memory; there is nothing to release. Within a cut the writer can freeze too ([Keyspace.FreezeInCut]): such a view has
// what readers do not see yet.
//
// # Heat
//
// Which items to evict first is judged by their heat, a byte beside the control byte: in how many of the last epochs
// the item was used, and which was the latest. The store is told when an epoch ends ([Store.SetHeatEpoch]). Heat is
// each process's own, and no promise depends on it. A read raises it at most once an epoch, by one attempt to
// exchange the group's word: reads of hot keys write nothing. Tables that are grown, split, merged or copied carry
// it, and their ghosts with it: fingerprints of what was evicted of late, so that what comes back begins warmer.
// Heat is the one thing in a table that readers change, also in a table that a view shares.
//
// Sweeps walk the groups in the order of the hash, beside the writer. Coldest chooses victims, the coldest eighth of
// those that it looks at. Dirty finds what was read here, to be reported to other nodes, and Warmed takes a report.
// With keys by Zipf's law, 0.99, and space for 1, 5 and 20 % of them, 57, 72 and 84 % of the reads are hits, and 49,
// 65 and 80 % with LRU (see BenchmarkHits).
//
// # Memory
//
// A record is 14 bytes plus the key and value (8 more with a deadline): 62 bytes for 16 + 32. The garbage collector
// does not scan it, but has to find what each slot points to, with a wait for memory or two: with millions of allocations
// that was most of a node's time. So small records lie in chunks of up to 256 KiB, thousands in one. Their space is not
// used again: a chunk with little left that is live is emptied by copying that ([Defrag]), and the
// collector takes it. With six million items of 64 bytes at a limit a collection takes 0.4 s of a processor instead of
// 2 s, and there are twice as many SETs a second. A slot costs a pointer, a control byte and a byte of heat, and two
// bytes for ghosts once something was evicted. Groups with control bytes were preferred to plain open addressing
// because at 7/8 full that touches a dozen records for a miss, each with a cache miss. There are 944 slots and not
// 1,024 because 118 groups of 80 bytes, with the allocator's header, just fill a size class of
// the runtime's.
//
// Memory counts by [MemoryOf], a formula that is close to what was just said and the same for ever: the size class
// of the record, a slot, and a place in the deadline index.
//
// Each keyspace with deadlines keeps them in a B-tree, and one more B-tree holds the keyspaces by their first
// deadline: dropping a keyspace's deadlines is O(1). Not tidwall/btree: its nodes share arrays after a split, so
// what was replaced (here whole old directories) stays reachable.
package cache
