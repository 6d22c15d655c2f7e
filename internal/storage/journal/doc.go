// Package journal owns the files in front of the log's database. The database needs two syncs and a copy of several
// pages to store one small entry; a journal appends it to a file that was written out before, with one sync, and moves
// what has gathered into the database later, much at a time.
//
// It promises that an entry is on the disk, in the journal or in the database, when StoreLogs returns; that entries that
// were deleted do not come back; and that after a crash at any moment Open finds all entries that were reported as stored,
// and of those that were not none but the first ones of the last StoreLogs. Bytes that are not what was written are found
// (ErrDamaged), but for the newest records, behind which nothing tells that they were once synced: they look like the end
// of an unfinished write. These are of the last second at most, as all that is older has been moved. It never interprets an entry, and stores no votes.
//
// # Files
//
// The journal is a fixed number of files of a fixed size, all of them written out with zeros when it is made, so that an
// append changes no metadata and needs no space. Each begins with a header (one sector, which a disk writes whole or not
// at all) that holds a generation: a random number. A record counts only if its checksum was made with the generation of
// its file's header; so renewing the header empties the file. A file is renewed once the database has synced all that is in
// it.
//
// A record holds the place up to where its file was synced when it was written. A bad record is the end of the file, unless
// a good record of the same generation behind it says that it was synced once: then the file is damaged. A record also
// holds the checksum of the one before it: what an append that failed has left behind is never taken for a continuation
// of what was written over it.
//
// The header holds an index that the database has reached: if it ends before that, it has lost a transaction that it had
// reported as synced.
//
// # Order
//
// Entries go through the journal in the order of their indexes, each the next one of the log. What is not (the first entry
// behind a snapshot from elsewhere), and what does not fit into a file, goes to the database directly, after everything
// that is in the journal. Before entries at the end of the log are deleted, what the journal has is moved, and all files are
// renewed: so no deleted entry is left in it when the database deletes its own.
package journal
