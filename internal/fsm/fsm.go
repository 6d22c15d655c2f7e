// Package fsm owns the replicated state: it turns log entries into users, their caches and the
// tables that make a write happen once, and it turns that state into a snapshot and back.
//
// It promises that two nodes that have applied the same entries hold the same state, byte for byte
// in the snapshot's terms, whatever snapshots and restores lie in between. So it never looks at a
// clock, at randomness, at the order of a map or at this node's configuration while it applies;
// what limits or times the state comes with the log. It does not know who leads, and it starts no
// goroutine.
//
// Who calls: hashicorp/raft calls Apply, ApplyBatch, Snapshot and Restore on one goroutine, never
// two at once; Persist and Release of a snapshot on another. Everything else may be called from
// any goroutine.
package fsm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"ciderd/internal/cache"
)

// Hooks is whom an FSM tells what it did. All are called on Raft's goroutine, so none may block;
// each may be nil (without Fatal, its error is a panic).
type Hooks struct {
	// Stamp is told the log's time, in Unix milliseconds, before the changes made at that time
	// can be read.
	Stamp func(ms int64)
	// Results is told what applying a batch of Self gave. The batch's changes can be read.
	Results func(incarnation, sequence uint64, results []Result)
	// Restored is told, after a Restore, up to which batch of Self the new state goes.
	Restored func(incarnation, sequence uint64)
	// Fatal is told of an entry that cannot be applied. It must end the process: going on
	// without the entry would make this node differ from the others. Until it has, nothing more
	// is applied and no snapshot taken.
	Fatal func(error)
}

// FSM is the replicated state machine of one node.
type FSM struct {
	self  string
	hooks Hooks

	state   atomic.Pointer[state] // replaced by Restore only; changed by Raft's goroutine only
	applier applier               // Raft's goroutine only
	halted  error                 // what Fatal was told; Raft's goroutine only

	applied atomic.Uint64 // state.index, once its changes can be read
	closed  atomic.Bool   // state.closed
	inUse   atomic.Uint32 // state.entries
	bytes   atomic.Uint64 // of all entries applied by this process
	pending struct {
		sync.Mutex
		waiters []waiter // for an index to be applied
	}
	watch struct {
		sync.RWMutex
		fns []func(id uint64)
	}
	marks    marks
	lastTerm any // the boxed term of the last entry, so that a response costs no allocation
}

type waiter struct {
	index uint64
	done  chan struct{}
}

// New returns an empty FSM of the server self.
func New(self string, hooks Hooks) *FSM {
	f := &FSM{self: self, hooks: hooks}
	f.state.Store(newState())
	return f
}

// Apply applies one entry; see ApplyBatch.
func (f *FSM) Apply(log *raft.Log) any { return f.ApplyBatch([]*raft.Log{log})[0] }

// ApplyBatch applies committed entries. The response to each is its term (uint64), which is what a
// leader needs for telling followers of the commit; results go to Hooks.Results.
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
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
		case log.Type == raft.LogConfiguration: // changes nothing here, but may be what someone waits for
			f.state.Load().index = log.Index
			f.applied.Store(log.Index)
		}
	}
	f.wake()
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
	if stamp := stampOf(h); stamp > s.time {
		s.time = stamp
	}
	if f.hooks.Stamp != nil {
		f.hooks.Stamp(s.time)
	}
	accepted := s.accept(h)
	var results []Result
	if accepted {
		results = make([]Result, h.Count)
		f.applier.batch(h.Version, commands, h.Count, results)
	}
	s.index = log.Index
	if s.use(h.Version) {
		f.inUse.Store(uint32(h.Version))
	}
	f.marks.set(s.index, s.hash())
	f.bytes.Add(uint64(len(log.Data)))
	f.applied.Store(log.Index)
	f.closed.Store(s.closed)
	f.tellWatchers()
	if accepted && f.hooks.Results != nil && string(h.Origin) == f.self {
		f.hooks.Results(h.Incarnation, h.Sequence, results)
	}
}

func (f *FSM) halt(err error) {
	f.halted = err
	if f.hooks.Fatal == nil {
		panic(err)
	}
	f.hooks.Fatal(err)
}

// Incarnation is the one of a server's last batch that has been applied here; 0: none has.
func (f *FSM) Incarnation(server string) uint64 {
	s := f.state.Load()
	s.row.RLock()
	defer s.row.RUnlock()
	return s.origins[server].incarnation
}

// Applied is the index of the last entry whose changes can be read here.
func (f *FSM) Applied() uint64 { return f.applied.Load() }

// Closed tells whether the state is closed to whatever makes it grow (OpClose).
func (f *FSM) Closed() bool { return f.closed.Load() }

// InUse is the highest version of entries that the log has held: a server that does not read it cannot be
// one of this cluster. Versions before 3 are not told apart, as every release that was ever out reads them.
func (f *FSM) InUse() int { return int(max(f.inUse.Load(), version2)) }

// AppliedBytes counts the bytes of all entries that this process has applied.
func (f *FSM) AppliedBytes() uint64 { return f.bytes.Load() }

// WaitApplied returns once the entry at index is applied here, or with ctx's error.
func (f *FSM) WaitApplied(ctx context.Context, index uint64) error {
	if f.Applied() >= index {
		return nil
	}
	w := waiter{index: index, done: make(chan struct{})}
	f.pending.Lock()
	f.pending.waiters = append(f.pending.waiters, w)
	f.pending.Unlock()
	f.wake() // it may have been applied since we looked
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		f.forget(w.done)
		return context.Cause(ctx)
	}
}

func (f *FSM) wake() {
	f.pending.Lock()
	defer f.pending.Unlock()
	if len(f.pending.waiters) == 0 {
		return
	}
	applied, rest := f.Applied(), f.pending.waiters[:0]
	for _, w := range f.pending.waiters {
		if w.index <= applied {
			close(w.done)
		} else {
			rest = append(rest, w)
		}
	}
	f.pending.waiters = rest
}

func (f *FSM) forget(done chan struct{}) {
	f.pending.Lock()
	defer f.pending.Unlock()
	for i, w := range f.pending.waiters {
		if w.done == done {
			f.pending.waiters = append(f.pending.waiters[:i], f.pending.waiters[i+1:]...)
			return
		}
	}
}

// Watch has fn called, on Raft's goroutine, after a user's password or account has changed, and
// with id 0 after a restore, when any may have. fn must not block.
func (f *FSM) Watch(fn func(id uint64)) {
	f.watch.Lock()
	defer f.watch.Unlock()
	f.watch.fns = append(f.watch.fns, fn)
}

func (f *FSM) tellWatchers() {
	if len(f.applier.changed) == 0 {
		return
	}
	f.watch.RLock()
	defer f.watch.RUnlock()
	for _, id := range f.applier.changed {
		for _, fn := range f.watch.fns {
			fn(id)
		}
	}
	f.applier.changed = f.applier.changed[:0]
}

// Lookup finds a user by name.
func (f *FSM) Lookup(name []byte) (User, bool) { return f.state.Load().users.lookup(name) }

// Epoch is the user's credential epoch, which grows with each change of the password; ok is false
// if there is no such account (any more).
func (f *FSM) Epoch(id uint64) (epoch uint64, ok bool) {
	user, account := f.state.Load().users.get(id)
	return user.Epoch, account != nil
}

// Users counts the accounts.
func (f *FSM) Users() int { return f.state.Load().users.count() }

// NextDeadline is the earliest deadline of all items, in Unix milliseconds.
func (f *FSM) NextDeadline() (int64, bool) { return f.state.Load().store.NextDeadline() }

// DueBy is how many items go when the log's time gets to now, which must be about to come.
func (f *FSM) DueBy(now int64) int { return f.state.Load().store.DueBy(now) }

// Size is about what a snapshot of the state takes, in bytes, before compression.
func (f *FSM) Size() int64 {
	s := f.state.Load()
	return s.store.Bytes() + int64(s.store.Deadlines())*deadlineBytes + s.users.bytes.Load() + s.onceBytes.Load()
}

// What Size counts beside the items' own bytes.
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

// Keyspace is the user's cache, or nil if the account is gone. It must be asked for anew for each
// command: a restore replaces it, and the old one stays as it was.
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

// EntryError says which entry could not be applied, and why.
type EntryError struct {
	Index, Term uint64
	Err         error
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("log entry %d of term %d: %v", e.Index, e.Term, e.Err)
}

func (e *EntryError) Unwrap() error { return e.Err }
