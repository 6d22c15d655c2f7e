// Package fsm owns the replicated state: it turns log entries into users, their caches and the tables that make a
// write happen only once, and it writes and restores snapshots of that state.
//
// It promises that two nodes that have applied the same entries hold the same state, byte for byte as a snapshot
// stores it, whatever snapshots and restores they went through. So while it applies entries it never uses a clock,
// randomness, the order of a map or this node's configuration; all limits and times come with the log. It does not
// know who leads, and it starts no goroutine.
//
// Results are told on the node that made the batch, and only there do they refer to values and views ([Details]).
//
// hashicorp/raft calls Apply, ApplyBatch, Snapshot and Restore on one goroutine, never two at once, and a
// snapshot's Persist and Release on another. Everything else may be called from any goroutine.
package fsm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"ciderd/internal/cache"
)

// Hooks are the callbacks of an FSM. All are called on Raft's goroutine, so none may block. Each may be nil
// (without Fatal, its error is a panic).
type Hooks struct {
	// Stamp is called with the log's time, in Unix milliseconds, before the changes made at that time can be read.
	Stamp func(ms int64)
	// Results is called with the results of a batch of Self. The batch's changes can be read by then. Whoever keeps the
	// results keeps in memory what their Details refer to.
	Results func(incarnation, sequence uint64, results []Result)
	// Restored is called after a Restore, with the last batch of Self in the new state.
	Restored func(incarnation, sequence uint64)
	// Fatal is called with an entry that cannot be applied. It must end the process: without the entry this node
	// would differ from the others. Until the process ends, nothing more is applied and no snapshot taken.
	Fatal func(error)
	// MakeWay asks whether nobody is served from the state now, nor will be before Restored is called. If so, Restore lets
	// go of the old state before it builds the new one: two at a time take twice the memory, which a machine may not have.
	// Nil: somebody is.
	MakeWay func() bool
}

// FSM is the replicated state machine of one node.
type FSM struct {
	self  string
	hooks Hooks

	state atomic.Pointer[state] // replaced by Restore only; changed by Raft's goroutine only
	// applying is held while the state changes or is frozen: of these only CopyOf is called on another goroutine.
	applying sync.Mutex
	applier  applier // Raft's goroutine only
	halted   error   // what Fatal was called with; Raft's goroutine only

	applied  atomic.Uint64 // state.index, once its changes can be read
	closed   atomic.Bool   // state.closed
	inUse    atomic.Uint32 // state.entries
	emptied  bool          // the old state is gone, as another one is being restored; Raft's goroutine only
	bytes    atomic.Uint64 // of all entries applied by this process
	expired  atomic.Uint64 // items that were removed for their deadlines, by this process
	pending  waiters       // for an index to be applied
	watch    watchers
	hashes   stateHashes
	lastTerm any // the boxed term of the last entry, so that a response costs no allocation
}

// New returns an empty FSM of the server self.
func New(self string, hooks Hooks) *FSM {
	f := &FSM{self: self, hooks: hooks}
	f.state.Store(newState())
	return f
}

// Apply applies one entry; see ApplyBatch.
func (f *FSM) Apply(log *raft.Log) any { return f.ApplyBatch([]*raft.Log{log})[0] }

// ApplyBatch applies committed entries. The response to each is its term (uint64), which a leader needs to tell
// followers of the commit. Results go to Hooks.Results.
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
	f.applying.Lock()
	defer f.applying.Unlock()
	responses := make([]any, len(logs))
	for i, log := range logs {
		if term, ok := f.lastTerm.(uint64); !ok || term != log.Term {
			f.lastTerm = log.Term
		}
		responses[i] = f.lastTerm
		switch {
		case f.halted != nil:
		case log.Type == raft.LogCommand:
			f.apply(log)
		case log.Type == raft.LogConfiguration: // changes nothing here, but a caller may be waiting for it
			f.state.Load().index = log.Index
			f.applied.Store(log.Index)
		}
	}
	f.pending.wake(f.Applied())
	return responses
}

func (f *FSM) apply(log *raft.Log) {
	h, commands, err := ReadEntry(log.Data)
	if err != nil {
		f.halt(&EntryError{Index: log.Index, Term: log.Term, Err: err})
		return
	}
	s := f.state.Load()
	f.applier.state = s
	s.time = max(s.time, h.Stamp)
	if f.hooks.Stamp != nil {
		f.hooks.Stamp(s.time)
	}
	accepted := !h.Eviction && s.accept(h)
	mine := accepted && f.hooks.Results != nil && string(h.Origin) == f.self
	f.applier.mine = mine
	var results []Result
	switch {
	case h.Eviction:
		f.applier.evict(log.Data)
	case accepted:
		results = make([]Result, h.Count)
		f.applier.batch(h.Version, commands, h.Count, results)
	}
	s.index = log.Index
	if s.use(h.Version) {
		f.inUse.Store(uint32(h.Version))
	}
	s.forgetIdle()
	f.hashes.set(s.index, s.hash())
	f.bytes.Add(uint64(len(log.Data)))
	f.expired.Add(uint64(f.applier.expired))
	f.applier.expired = 0
	f.applied.Store(log.Index)
	f.closed.Store(s.closed)
	f.tellChanged()
	if mine {
		f.hooks.Results(h.Incarnation, h.Sequence, results)
	}
}

// tellChanged tells of the users that have changed since it was called last.
func (f *FSM) tellChanged() {
	if changed := f.applier.changed; len(changed) > 0 {
		f.watch.tell(changed)
		f.applier.changed = changed[:0]
	}
}

func (f *FSM) halt(err error) {
	f.halted = err
	if f.hooks.Fatal == nil {
		panic(err)
	}
	f.hooks.Fatal(err)
}

// Incarnation returns the incarnation of a server's last batch applied here; 0: none was.
func (f *FSM) Incarnation(server string) uint64 {
	s := f.state.Load()
	s.row.RLock()
	defer s.row.RUnlock()
	return s.origins[server].incarnation
}

// Applied returns the index of the last entry whose changes can be read here.
func (f *FSM) Applied() uint64 { return f.applied.Load() }

// Closed reports whether the state is closed to everything that makes it grow (OpClose).
func (f *FSM) Closed() bool { return f.closed.Load() }

// InUse returns the highest version of entries that the log has held: a server that does not read that version
// cannot join. Versions below 3 are not distinguished, as every release reads them.
func (f *FSM) InUse() int { return int(max(f.inUse.Load(), version2)) }

// AppliedBytes returns the size of all entries that this process has applied.
func (f *FSM) AppliedBytes() uint64 { return f.bytes.Load() }

// WaitApplied waits until the entry at index is applied here, or returns ctx's error.
func (f *FSM) WaitApplied(ctx context.Context, index uint64) error {
	if f.Applied() >= index {
		return nil
	}
	w := waiter{index: index, done: make(chan struct{})}
	f.pending.add(w)
	f.pending.wake(f.Applied()) // it may have been applied since we looked
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		f.pending.forget(w.done)
		return context.Cause(ctx)
	}
}

// Watch has fn called, on Raft's goroutine, after a user's password or account has changed, and with id 0 after a
// restore, when any may have changed. fn must not block.
func (f *FSM) Watch(fn func(id uint64)) { f.watch.add(fn) }

// Lookup finds a user by name.
func (f *FSM) Lookup(name []byte) (User, bool) { return f.state.Load().users.lookup(name) }

// Epoch returns the user's credential epoch, which increases with each change of the password. ok is false if there
// is no such account (any more).
func (f *FSM) Epoch(id uint64) (epoch uint64, ok bool) {
	user, account := f.state.Load().users.get(id)
	return user.Epoch, account != nil
}

// Stats is what the state holds, the same on every node that has applied as much.
type Stats struct {
	Users     int
	Items     int   // those that have expired and not been removed too
	Deadlines int   // items that have one
	Bytes     int64 // of keys and values

	Memory      int64 // what all that counts for, see cache.MemoryOf
	MemoryLimit int64 // 0: none
	Working     int64 // the limit that the leader works to
	LimitsSet   bool  // some limits have been set, if only to none
	Reject      bool  // at the limit, what would grow is refused
	Evicted     uint64
	Expired     uint64 // items whose deadline has passed, and that this process has removed

	Backup Backup // the last one; zero: there was none
}

// Stats returns the present numbers. It waits for nobody.
func (f *FSM) Stats() Stats {
	s := f.state.Load()
	limits := s.ledger.current()
	var backup Backup
	if last := s.backup.Load(); last != nil {
		backup = *last
	}
	return Stats{
		Users: s.users.count(), Items: s.store.Len(), Deadlines: s.store.Deadlines(), Bytes: s.store.Bytes(),
		Memory: s.memory(), MemoryLimit: limits.MaxMemory, Working: s.ledger.working.Load(), LimitsSet: s.ledger.limits.Load() != nil,
		Reject: limits.Reject, Evicted: s.ledger.evicted.Load(), Expired: f.expired.Load(), Backup: backup,
	}
}

// NextDeadline returns the earliest deadline of all items, in Unix milliseconds.
func (f *FSM) NextDeadline() (int64, bool) { return f.state.Load().store.NextDeadline() }

// DueBy returns how many items expire when the log's time reaches now, which must be about to happen.
func (f *FSM) DueBy(now int64) int { return f.state.Load().store.DueBy(now) }

// Size returns about what a snapshot of the state takes, in bytes, before compression.
func (f *FSM) Size() int64 {
	s := f.state.Load()
	return s.store.Bytes() + int64(s.store.Deadlines())*deadlineBytes + s.users.bytes.Load() + s.onceBytes.Load()
}

// What Size counts in addition to the items' own bytes.
const (
	deadlineBytes = 8
	accountBytes  = 64 // and the name and the hash
	onceBytes     = 32 // and the id
)

// Reader reads one user's cache. It is for one goroutine.
type Reader struct {
	fsm     *FSM
	id      uint64
	state   *state
	account *account
}

// Reader returns a reader of the user's cache.
func (f *FSM) Reader(id uint64) *Reader { return &Reader{fsm: f, id: id} }

// Keyspace returns the user's cache, or nil if the account is gone. Call it again for each command: a restore
// replaces the keyspace, and the old one no longer changes.
func (r *Reader) Keyspace() *cache.Keyspace {
	if s := r.fsm.state.Load(); s != r.state {
		r.state = s
		_, r.account = s.users.get(r.id)
	}
	if r.account == nil || r.account.gone.Load() {
		return nil
	}
	return r.account.keyspace
}

// Usage returns what the user has of the memory; false: the account is gone.
func (r *Reader) Usage() (Usage, bool) { return r.fsm.Shares().Of(r.id) }

// EntryError says which entry could not be applied, and why.
type EntryError struct {
	Index, Term uint64
	Err         error
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("log entry %d of term %d: %v", e.Index, e.Term, e.Err)
}

func (e *EntryError) Unwrap() error { return e.Err }
