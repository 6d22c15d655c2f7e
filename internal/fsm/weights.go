package fsm

import "sync"

// Weights knows how large the values are that commands in flight will find in the state: those that are stored, and
// those that entries in flight will store. With it the leader bounds what one entry makes every node copy. The node
// that makes a batch also bounds that, by what it can know; but if another session or node is just storing a large
// value, a thousand EXPIREs of it would cost every node a second. All methods may be called from any goroutine.
type Weights struct {
	fsm *FSM

	mu sync.Mutex // all below
	// The largest value for each key, by the hash of user and key. before holds those noted before the last Forget.
	recent, before map[uint64]int
}

const (
	// heavy is the size from which a value matters, in bytes.
	heavy = 16 << 10
	// maxWork is how much one entry may make every node copy, in bytes: some milliseconds. A batch holds no more
	// than 256 KiB of it and one command.
	maxWork = 4 << 20
)

// NewWeights returns a Weights that knows of nothing in flight to f.
func NewWeights(f *FSM) *Weights {
	return &Weights{fsm: f, recent: map[uint64]int{}, before: map[uint64]int{}}
}

// Forget drops what was noted before the last call: by now it has been applied, or never will be.
func (w *Weights) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recent, w.before = map[uint64]int{}, w.recent
}

// entryWork is what the commands of one entry, as far as they have been read, make every node copy.
type entryWork struct {
	weights *Weights // nil: no bound
	bytes   int
}

// tooMuch reports whether a command copies more than the entry may still copy. It notes the values that the command
// stores.
func (e *entryWork) tooMuch(c *Command) bool {
	if e.weights == nil {
		return false
	}
	work := 0
	switch c.Op {
	case OpSet, OpCAS, OpStore:
		e.weights.note(c.User, c.Key, len(c.Value))
	case OpMSet, OpMSetNX:
		for i := 0; i+1 < len(c.Words); i += 2 {
			e.weights.note(c.User, c.Words[i], len(c.Words[i+1]))
		}
	case OpExpire, OpPersist, OpDeadline:
		work = e.weights.of(c.User, c.Key)
	case OpAppend:
		work = e.weights.of(c.User, c.Key)
		e.weights.note(c.User, c.Key, work+len(c.Value))
	default:
		work = e.weights.foresee(c)
	}
	if c.Op == OpExec && work > maxWork {
		return true // it is not run, so there is as much for the others as before
	}
	if work < heavy {
		return false
	}
	e.bytes += work
	return e.bytes > maxWork
}

// foresee returns what a command copies, and notes the values that it stores.
func (w *Weights) foresee(c *Command) (work int) {
	switch c.Op {
	case OpGetExpire, OpIncrFloat, OpSetRange, OpMove, OpExec:
	default:
		return 0
	}
	find := w.fsm.Shares().With(func() *Weights { return w }).finder(c.User)
	item := func(key []byte) extent { return find(key).extent }
	switch c.Op {
	case OpIncrFloat, OpSetRange:
		if e, stores := computed(item(c.Key), c); stores {
			w.note(c.User, c.Key, e.value)
		}
	case OpMove:
		w.note(c.User, c.Arg, item(c.Key).value)
	case OpExec:
		f := newForecast(false, find)
		work = f.next(c)
		for key, k := range f.keys {
			if k.stored {
				w.note(c.User, []byte(key), k.now.value)
			}
		}
		return work
	}
	return c.work(item)
}

func (w *Weights) note(user uint64, key []byte, size int) {
	if size < heavy {
		return
	}
	h := hashOf(key, user)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recent[h] = max(w.recent[h], min(size, maxValue))
}

// of returns how large the value of key may be when a command that arrives now is applied.
func (w *Weights) of(user uint64, key []byte) int {
	return max(w.fsm.valueSize(user, key), w.noted(user, key))
}

// noted returns the largest value that was noted for key; 0: none.
func (w *Weights) noted(user uint64, key []byte) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.recent)+len(w.before) == 0 {
		return 0
	}
	h := hashOf(key, user)
	return max(w.recent[h], w.before[h])
}

// valueSize returns about the size of a stored value, whether it has expired or not.
func (f *FSM) valueSize(user uint64, key []byte) int {
	_, account := f.state.Load().users.get(user)
	if account == nil {
		return 0
	}
	memory, _ := account.keyspace.Peek(key)
	return int(memory)
}
