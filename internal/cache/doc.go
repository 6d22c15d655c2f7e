// Package cache owns the items in memory: a [Store] of keyspaces, one for each
// user id, changed by one writer and read by any number of goroutines.
//
// It promises that reads see the last completed change, never half of a
// multi-key change, and nothing whose deadline has passed; that everything the
// replicas compare or agree on (versions, [Store.Hash], the order of
// [Store.Expire], Bytes) depends on the changes made and on nothing else; and
// that a frozen view never changes. It never reads a clock, starts a goroutine,
// knows what a user or a quota is, or touches a disk.
//
// # The types
//
// There are only a few:
//
//	Store      keyspaces by id, their deadlines, totals and hash
//	Keyspace   one user's items: an extendible hash
//	directory  the top hash bits -> table; with the keyspace's counters
//	table      open addressing in groups of 8 slots, at most 904 slots
//	record     one item, immutable, one allocation without pointers
//	View       a directory that is no longer changed
//
// "The writer" is the one goroutine (the state machine's) that calls the
// changing methods; their comments say so. All other methods may be called from
// anywhere.
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
//     emptied, so who has found a record finds it again.
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
// So a reader waits only if it meets a cut, and only for that; and the writer
// never for a reader's lookups. The lock is no RWMutex, and Get does not look
// under it, because an RWMutex that is unlocked admits all waiting readers at
// once, and the writer's next change would wait until each of them has been
// given a processor.
//
// # Freezing
//
// Tables and directories carry the epoch of their birth. A freeze notes the
// current epoch and starts the next; the writer changes nothing in place that
// is not younger than the last freeze, but copies it first (a directory once, a
// table of up to 8 KiB once). So freezing a keyspace is O(1), and so is freezing
// a store: the store keeps its directories in a copy-on-write B-tree, and a
// keyspace is not visited until its next change. Views hold no resources but
// memory; there is nothing to release.
//
// # Memory
//
// A record is 14 bytes and the key and value (8 more with a deadline): 62 bytes,
// one 64-byte allocation, for 16 + 32. The garbage collector does not look into
// it. A slot costs a pointer and a control byte. Groups with control bytes were
// taken over plain open addressing because at 7/8 full that touches a dozen
// records for a miss, each a cache miss of its own. 904 slots and not 1,024
// because 113 groups of 72 bytes, with the allocator's header, just fill 8 KiB.
//
// Deadlines are kept in a B-tree for each keyspace that has any, and the
// keyspaces by their first deadline in one more: dropping a keyspace's deadlines
// is O(1). Not tidwall/btree: its nodes share arrays after a split, so that what
// was replaced (whole old directories, here) stays reachable.
package cache
